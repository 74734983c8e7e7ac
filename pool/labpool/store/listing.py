"""Looking through all tickets, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, true
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
    """The newest ones that are wanted, newest first.

    Asked for one by one, a user's and each project's are the beginning of an index each, however many there are.
    """
    found: dict[str, Ticket] = {}
    newest_first = (TicketRow.requested_at.desc(), TicketRow.id.desc())
    for whose in _whose(wanted):
        query = select(TicketRow).where(*_conditions(wanted), whose).order_by(*newest_first).limit(wanted.limit)
        found |= {row.id: rows.ticket_from(row) for row in session.scalars(query, execution_options=FRESH)}
    ordered = sorted(found.values(), key=lambda ticket: (ticket.requested_at, ticket.id), reverse=True)
    return tuple(ordered[: wanted.limit])


def _whose(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.user is None:
        yield true()
        return
    yield TicketRow.user == wanted.user
    for project in wanted.projects:
        if wanted.project in (None, project):
            yield TicketRow.project == project


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if set(wanted.states) != set(State):
        yield TicketRow.state.in_([state.value for state in wanted.states])
    if wanted.project is not None:
        yield TicketRow.project == wanted.project
    if wanted.after is not None:
        at, last = wanted.after
        yield or_(TicketRow.requested_at < at, and_(TicketRow.requested_at == at, TicketRow.id < last))
