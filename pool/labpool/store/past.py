"""Reading what a pool's store remembers without disturbing the pool, which may be running."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from labpool.domain.simulation.recorded import Past, Stay, Step
from labpool.store import rows
from labpool.store.models import AuditRow, LeaseRow, TicketRow
from labpool.store.reading import reading

Value = TypeVar("Value")


def read_past(url: str) -> list[Past]:
    """Read all tickets with their stays, in the order in which they were asked for, as at one moment.

    The database is opened for reading only, and no writer waits for it.

    Raises:
        UnreadableStore: there is none, it may not be read, or is not a store of this release.
    """
    with reading(url) as session:
        return _read(session)


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
