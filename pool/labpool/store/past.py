"""Reading what a pool's store remembers without disturbing the pool, which may be running."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine, NullPool, create_engine, event, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from labpool.domain.simulation.recorded import Past, Stay, Step
from labpool.store import rows
from labpool.store.database import connect, name_of
from labpool.store.errors import UnusableDatabase, first_line
from labpool.store.models import AuditRow, LeaseRow, TicketRow
from labpool.store.sqlite import BUSY_MS, READS_ONLY, begin

Value = TypeVar("Value")


class UnreadableStore(Exception):
    """The database can't be read as a pool's store; the message says why and what to do."""


def read_past(url: str) -> list[Past]:
    """Read all tickets with their stays, in the order in which they were asked for, as at one moment.

    The database is opened for reading only, and no writer waits for it.

    Raises:
        UnreadableStore: there is none, it may not be read, or is not a store of this release.
    """
    try:
        engine = _only_read(connect(url))
        with Session(engine.execution_options(**{READS_ONLY: True})) as session, session.begin():
            return _read(session)
    except UnusableDatabase as error:
        raise UnreadableStore(str(error)) from error
    except DatabaseError as error:
        raise UnreadableStore(
            f"{name_of(engine.url)}: can't be read as a pool's store ({first_line(error)}). Expected one of this "
            "release that you may read; one of an earlier release is brought up to date when the pool starts."
        ) from error


def _only_read(engine: Engine) -> Engine:
    """The same database, of which nothing is written, also no file beside that of SQLite."""
    if engine.dialect.name != "sqlite":
        return engine
    path = Path(engine.url.database or "")
    if not path.is_file():
        raise UnreadableStore(
            f"{path}: no such file. Expected the store of a pool that has run; name its data folder with --data or "
            "LABPOOL_DATA, as `make hub` prints it."
        )
    reader = create_engine(engine.url, creator=lambda: _open(path), poolclass=NullPool)
    event.listen(reader, "begin", begin)
    return reader


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    return connection


def _read(session: Session) -> list[Past]:
    tickets = session.scalars(select(TicketRow).order_by(TicketRow.requested_at, TicketRow.id)).all()
    leases = select(LeaseRow.ticket, LeaseRow.starts, LeaseRow.ends, LeaseRow.ended_at).order_by(LeaseRow.id)
    stays = _by_ticket((ticket, Stay(starts, ends, over)) for ticket, starts, ends, over in session.execute(leases))
    told = (
        select(AuditRow.ticket, AuditRow.at, AuditRow.event)
        .where(AuditRow.event.in_([step.value for step in Step]))
        .order_by(AuditRow.id)
    )
    steps = _by_ticket((ticket, (at, Step(step))) for ticket, at, step in session.execute(told).all() if ticket)
    return [Past(rows.ticket_from(row), tuple(stays[row.id]), tuple(steps[row.id])) for row in tickets]


def _by_ticket(pairs: Iterable[tuple[str, Value]]) -> defaultdict[str, list[Value]]:
    found: defaultdict[str, list[Value]] = defaultdict(list)
    for ticket, value in pairs:
        found[ticket].append(value)
    return found
