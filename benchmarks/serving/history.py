"""A pool that has run for long: the rows of tickets that came, held a GPU and went, as the pool writes them.

A million runs can't be played through the pool itself. Each run here is a ticket, a lease with its device, what the
ledger has of it, four rows of the audit trail with their chain, and a notice; made by the store's own functions from
domain values, and added in bulk.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from itertools import islice

import psycopg
from labpool.domain.leases import Lease
from labpool.domain.ledger import closed, opened
from labpool.domain.notices import NoticeKind
from labpool.domain.tickets import EndReason, State, Ticket
from labpool.store import connect, migrate, rows
from labpool.store.audit_chain import BEGINNING, AuditRecord, hash_after
from labpool.store.models import (
    AuditRow,
    Base,
    LeasedDeviceRow,
    LeaseRow,
    LedgerRow,
    NoticeRow,
    PersonRow,
    TicketRow,
)
from sqlalchemy import Connection, Engine, insert, text

PROJECTS = 20
_BATCH = 2_000
_STRIDE = 7_919  # a prime: everybody comes equally often, and nobody knows after whom
_ORDER: tuple[type[Base], ...] = (TicketRow, LeaseRow, LeasedDeviceRow, LedgerRow, NoticeRow, AuditRow)
_COUNTED = ("leases", "ledger", "notices")
Rows = defaultdict[type[Base], list[dict[str, object]]]


@dataclass
class _Trail:
    """The audit trail so far."""

    number: int = BEGINNING.number
    hash: str = BEGINNING.hash

    def row(self, at: datetime, actor: str, ticket: str, event: str, detail: str) -> dict[str, object]:
        """The next row, chained to the one before."""
        self.number += 1
        said = {"at": at, "actor": actor, "ticket": ticket, "event": event, "detail": detail}
        unhashed = AuditRecord(self.number, at, actor, ticket, event, detail, "")
        self.hash = hash_after(self.hash, unhashed)
        return {"id": self.number, **said, "hash": self.hash}


@dataclass
class History:
    """So many runs of so many users, the last one ended just before `until`, evenly spread over `span`."""

    runs: int
    users: int
    span: timedelta
    until: datetime
    _chance: random.Random = field(default_factory=lambda: random.Random(1))
    _trail: _Trail = field(default_factory=_Trail)

    def write(self, url: str) -> None:
        """Add it to an empty database."""
        engine = connect(url)
        migrate(engine)
        with engine.begin() as connection:
            people = [{"name": f"user-{n}", "pseudonym": _pseudonym(n)} for n in range(self.users)]
            connection.execute(insert(PersonRow), people)
            numbers = iter(range(self.runs))
            while batch := list(islice(numbers, _BATCH)):
                self._add(connection, batch)
        _tidy(engine)
        engine.dispose()

    def _add(self, connection: Connection, numbers: list[int]) -> None:
        found: Rows = defaultdict(list)
        for number in numbers:
            self._run(number, found)
        for kind in _ORDER:
            _insert(connection, kind, found[kind])

    def _run(self, number: int, found: Rows) -> None:
        user, ticket, lease, over = self._made_up(number)
        person = _pseudonym(user)
        found[TicketRow].append(dict(rows.ticket_columns(ticket)))
        found[LeaseRow].append({**rows.lease_columns(lease), "id": number + 1, "ended_at": over})
        found[LeasedDeviceRow] += [{**row, "live": False} for row in rows.device_columns(number + 1, lease)]
        postings = (*opened(lease), *closed(lease, over))
        found[LedgerRow] += [dict(rows.ledger_columns(number + 1, lease, person, each)) for each in postings]
        notice = {"ticket": ticket.id, "key": f"{lease.starts.isoformat()}/granted", "kind": NoticeKind.GRANTED.value}
        said = {"at": lease.starts, "ends_at": lease.ends, "message": "It is your turn: 1 GPU until 12:00 UTC."}
        found[NoticeRow].append(notice | said)
        for at, actor, event in (
            (ticket.requested_at, person, "filed"),
            (lease.starts, "planner", "granted"),
            (lease.starts, person, "first_use"),
            (over, person, "stopped"),
        ):
            found[AuditRow].append(self._trail.row(at, actor, ticket.id, event, "ended, attempt 1"))

    def _made_up(self, number: int) -> tuple[int, Ticket, Lease, datetime]:
        chance, user = self._chance, number * _STRIDE % self.users
        hours = timedelta(hours=chance.choice((1, 2, 4, 8)))
        over = self.until - self.span * ((self.runs - number) / self.runs)
        starts = over - hours * chance.uniform(0.1, 1)
        asked, project = starts - timedelta(minutes=chance.randrange(120)), f"project-{user % PROJECTS}"
        what = (f"server-{number % 5}", project, "one", "gpu", 1, hours, asked)
        filed = Ticket(f"{number:016x}", f"user-{user}", frozenset(), *what, starts_by=starts)
        ticket = replace(filed, state=State.ENDED, end_reason=EndReason.STOPPED, changed_at=over)
        who = (ticket.id, ticket.user, ticket.name, project, "gpu")
        return user, ticket, Lease(*who, (f"device-{number % 64}",), starts, starts + hours), over


def _insert(connection: Connection, kind: type[Base], added: list[dict[str, object]]) -> None:
    """Add rows the quickest way that the database has."""
    if connection.dialect.name == "sqlite":
        connection.execute(insert(kind), added)
        return
    driver: psycopg.Connection[tuple[object, ...]] = connection.connection.driver_connection  # type: ignore[assignment]
    columns = ", ".join(f'"{name}"' for name in added[0])
    with driver.cursor() as cursor, cursor.copy(f"COPY {kind.__tablename__} ({columns}) FROM STDIN") as copy:
        for row in added:
            copy.write_row([json.dumps(value) if isinstance(value, list) else value for value in row.values()])


def projects_yaml(users: int) -> str:
    """The projects of such a pool: each user is a member of one, and its first one owns it."""
    lines = []
    for number in range(PROJECTS):
        members = ", ".join(f"user-{user}" for user in range(number, users, PROJECTS))
        people = f"members: {{users: [{members}]}}, owners: {{users: [user-{number}]}}"
        lines.append(f"  project-{number}: {{title: P{number}, {people}, nominal: {{gpu: 3}}, profiles: [one]}}")
    return "\n".join(lines)


def _pseudonym(user: int) -> str:
    return f"p-{user:016x}"


def _tidy(engine: Engine) -> None:
    """Let the database know its tables, as it would by itself in time, and count on behind what was added."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "sqlite":
            return
        for table in _COUNTED:
            sequence, most = f"pg_get_serial_sequence('{table}', 'id')", f"(SELECT max(id) FROM {table})"
            connection.execute(text(f"SELECT setval({sequence}, {most})"))
        connection.execute(text("VACUUM ANALYZE"))


def size_mib(url: str) -> float:
    """What a database takes on disk."""
    engine = connect(url)
    asked = "SELECT pg_database_size(current_database())"
    if engine.dialect.name == "sqlite":
        asked = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    with engine.connect() as connection:
        found = connection.execute(text(asked)).scalar_one()
    engine.dispose()
    return float(found) / 2**20


def now() -> datetime:
    """The time, aware."""
    return datetime.now(timezone.utc)
