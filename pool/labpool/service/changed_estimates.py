"""Telling who waits that their likely start is not what they were told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TypeAlias

from labpool.domain.estimates import BETWEEN, Told, changed_a_lot
from labpool.domain.notices import NoticeKind
from labpool.domain.tickets import State, Ticket
from labpool.domain.words import clock
from labpool.service.desk import Desk
from labpool.service.telling import tell
from labpool.store import Notice, Transaction

_EVERY = 60.0
_TimeInLine: TypeAlias = "tuple[str, int, int, datetime | None]"


class ChangedEstimates:
    """Looks at the estimates each minute, beside all decisions.

    Compared is what the ticket's owner was told last in this time in line: by such a notice, or when they asked. Who is
    in line again after GPUs were lost or unused, or stepped back, was told nothing yet: there it is the first estimate
    that is seen.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._seen: dict[_TimeInLine, Told] = {}

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)  # first of all too: at a start others have more urgent things to do
            await self.look()

    async def look(self) -> None:
        """Tell those whose likely start has changed a lot, of each ticket once an hour at the most."""
        starts = await self._desk.likely_starts()
        changed = await self._desk.view(lambda view: self._changed(view, starts))
        if changed:
            await self._desk.change(lambda change: _tell_all(change, changed), replan=False)

    def _changed(self, view: Transaction, starts: Mapping[str, datetime]) -> list[Notice]:
        now, found = self._desk.clock(), []
        seen, self._seen = self._seen, {}
        for ticket, likely in ((view.ticket(name), likely) for name, likely in starts.items()):
            if ticket is None or ticket.state is not State.QUEUED or not ticket.ready:
                continue
            first = seen.get(_time_in_line(ticket)) or _when_asked(ticket) or Told(likely, now)
            self._seen[_time_in_line(ticket)] = first
            told = _told(view, ticket) or first
            if changed_a_lot(told, likely) and not _told_lately(view, ticket, now):
                found.append(_notice(ticket, told, likely, now))
        return found


def _time_in_line(ticket: Ticket) -> _TimeInLine:
    return ticket.id, ticket.attempt, ticket.unclaimed, ticket.moved_to


def _when_asked(ticket: Ticket) -> Told | None:
    first_time = ticket.attempt == 1 and not ticket.unclaimed and ticket.moved_to is None
    return Told(ticket.likely_start, ticket.requested_at) if first_time and ticket.likely_start else None


def _told(view: Transaction, ticket: Ticket) -> Told | None:
    """What such a notice told last in this time in line."""
    notice = view.last_notice_of(ticket.id, NoticeKind.LIKELY_CHANGED.value)
    is_of_now = notice is not None and notice.key.startswith(_prefix(ticket))
    return Told(notice.starts_at, notice.at) if notice and is_of_now and notice.starts_at else None


def _told_lately(view: Transaction, ticket: Ticket, now: datetime) -> bool:
    """Whether its owner was told anything within the hour: who has just read of the ticket knows how it stands."""
    last = view.last_notice_of(ticket.id)
    return last is not None and now - last.at < BETWEEN


def _prefix(ticket: Ticket) -> str:
    return f"{ticket.attempt}/{ticket.unclaimed}/likely/"


def _notice(ticket: Ticket, told: Told, likely: datetime, now: datetime) -> Notice:
    comparison = "later" if likely > told.start else "sooner"
    at, before = clock(likely, timezone.utc, now), clock(told.start, timezone.utc, now)
    message = f"Your GPUs likely come {comparison} than you were told: at {at}, not at {before}."
    key, kind = f"{_prefix(ticket)}{now.isoformat()}", NoticeKind.LIKELY_CHANGED.value
    return Notice(ticket.id, key, kind, now, message, starts_at=likely)


def _tell_all(change: Transaction, notices: list[Notice]) -> None:
    for notice in notices:
        ticket = change.ticket(notice.ticket)
        if ticket is None or ticket.state is not State.QUEUED or _told_lately(change, ticket, notice.at):
            continue  # it was granted meanwhile, say
        tell(change, notice)
