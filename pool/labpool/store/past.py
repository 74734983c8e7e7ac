"""Reading what a pool's store remembers without disturbing the pool, which may be running."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import NullPool, create_engine, event, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from labpool.domain.simulation.recorded import Past, Stay, Step
from labpool.store import rows
from labpool.store.database import BUSY_MS, READS_ONLY, begin
from labpool.store.models import AuditRow, LeaseRow, TicketRow

Value = TypeVar("Value")


class UnreadableStore(Exception):
    """The file can't be read as a pool's store; the message says why and what to do."""


def read_past(path: Path) -> list[Past]:
    """Read all tickets with their stays, in the order in which they were asked for, as at one moment.

    The file is opened for reading only, and no writer waits for it.

    Raises:
        UnreadableStore: there is no such file, it may not be read, or is not a store of this release.
    """
    if not path.is_file():
        raise UnreadableStore(
            f"{path}: no such file. Expected the store of a pool that has run; name its data folder with --data or "
            "LABPOOL_DATA, as `make hub` prints it."
        )
    engine = create_engine("sqlite://", creator=lambda: _open(path), poolclass=NullPool)
    event.listen(engine, "begin", begin)
    try:
        with Session(engine.execution_options(**{READS_ONLY: True})) as session, session.begin():
            return _read(session)
    except DatabaseError as error:
        raise UnreadableStore(
            f"{path}: can't be read as a pool's store ({error.orig}). Expected one of this release, in a folder that "
            "you may read; one of an earlier release is brought up to date when the pool starts."
        ) from error


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
