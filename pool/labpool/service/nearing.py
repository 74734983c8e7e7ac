"""Telling who waits that their turn is near, so that they can come back for it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

from labpool.domain.leases import Slot
from labpool.domain.notices import NoticeKind
from labpool.domain.tickets import State, Ticket
from labpool.domain.words import clock
from labpool.service.desk import Desk
from labpool.service.telling import tell
from labpool.store import Notice, Transaction

AHEAD = timedelta(minutes=15)
"""So long before its planned start a turn is near."""
WAITED = timedelta(minutes=5)
"""Who asked later than that still knows what the page said."""

_IDLE, _REST = 15.0, 1.0


class Nearing:
    """Looks at the planned starts after changes, beside all decisions: at most each second, at least each 15."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._told: frozenset[tuple[str, str]] = frozenset()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            count = self._desk.changes.count
            await self.look()
            await asyncio.sleep(_REST)
            await self._desk.changes.after(count, _IDLE)

    async def look(self) -> None:
        """Tell those whose turn has come near since the last look."""
        now = self._desk.clock()
        near = await self._desk.view(lambda view: _near(view, now))
        untold = [notice for notice in near if (notice.ticket, notice.key) not in self._told]
        if untold:
            await self._desk.change(lambda change: _tell_all(change, untold), replan=False)
        self._told = frozenset((notice.ticket, notice.key) for notice in near)


def _near(view: Transaction, now: datetime) -> list[Notice]:
    soon = (slot for slot in view.slots() if timedelta(0) < slot.start - now <= AHEAD)
    found = ((slot, view.ticket(slot.ticket)) for slot in soon)
    return [_notice(slot, ticket, now) for slot, ticket in found if ticket is not None and _waits(ticket, now)]


def _waits(ticket: Ticket, now: datetime) -> bool:
    return ticket.waits and now - ticket.in_line_since >= WAITED


def _notice(slot: Slot, ticket: Ticket, now: datetime) -> Notice:
    message = f"Your turn is near: your GPUs are planned for {clock(slot.start, timezone.utc, now)}."
    return Notice(ticket.id, f"{ticket.attempt}/{ticket.unclaimed}/near", NoticeKind.NEAR.value, now, message)


def _tell_all(change: Transaction, notices: list[Notice]) -> None:
    for notice in notices:
        ticket = change.ticket(notice.ticket)
        if ticket is not None and ticket.state is State.QUEUED:  # it may have been granted meanwhile
            tell(change, notice)
