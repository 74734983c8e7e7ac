"""Looking through all tickets, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from labpool.domain.tickets import State, Ticket
from labpool.store import rows
from labpool.store.models import TicketRow

FRESH = {"populate_existing": True}
"""For what is read as objects: the session may know an older state, as writing goes past it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tickets: in these states, of this project or any, and only those of `user` or of one of `projects`.

    `user` None: everybody's. `after` is the last one of the page before: when it was requested, and its id.
    """

    states: Collection[State]
    limit: int
    project: str | None = None
    user: str | None = None
    projects: Collection[str] = ()
    after: tuple[datetime, str] | None = None


def newest_tickets(session: Session, wanted: Wanted) -> tuple[Ticket, ...]:
    """The newest ones that are wanted, newest first."""
    newest_first = (TicketRow.requested_at.desc(), TicketRow.id.desc())
    query = select(TicketRow).where(*_conditions(wanted)).order_by(*newest_first).limit(wanted.limit)
    return tuple(rows.ticket_from(row) for row in session.scalars(query, execution_options=FRESH))


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    yield TicketRow.state.in_([state.value for state in wanted.states])
    if wanted.project is not None:
        yield TicketRow.project == wanted.project
    if wanted.user is not None:
        yield or_(TicketRow.user == wanted.user, TicketRow.project.in_(wanted.projects))
    if wanted.after is not None:
        at, last = wanted.after
        yield or_(TicketRow.requested_at < at, and_(TicketRow.requested_at == at, TicketRow.id < last))
