"""Working out when those who have just come in line will likely start, beside the decision that put them there."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from labpool.domain.tickets import State, Ticket
from labpool.service.desk import Desk
from labpool.service.pace import breath
from labpool.store import Transaction

_IDLE, _REST = 15.0, 0.5
_JUST = timedelta(minutes=1)
"""Who came longer ago was looked at, or is too far back to be told anything; a restart lies in between at most."""

_LOG = logging.getLogger(__name__)


class FirstEstimates:
    """Looks for newcomers after changes. What they are told first is kept with their tickets, to measure its error."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._looked_at: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Work out until cancelled; many may come at once, so it rests the longer the more there is to do."""
        while True:
            count, began = self._desk.changes.count, time.monotonic()
            try:
                await self.look()
            except Exception:
                _LOG.exception("when newcomers will start can't be worked out; trying again")
            await asyncio.sleep(max(_REST, breath(time.monotonic() - began)))
            await self._desk.changes.after(count, _IDLE)

    async def look(self) -> None:
        """Work out the likely start of all who have come since the last look."""
        lately, found = await self._desk.view(self._newcomers)
        if found:
            await self._desk.change(lambda change: _keep(change, found), replan=False)
        self._looked_at = lately

    def _newcomers(self, view: Transaction) -> tuple[frozenset[str], Mapping[str, datetime]]:
        since = self._desk.clock() - _JUST
        lately = [ticket for ticket in view.open_tickets() if ticket.requested_at > since and _waits_untold(ticket)]
        new = [ticket for ticket in lately if ticket.id not in self._looked_at]
        world = self._desk.world(view) if new else None
        starts = {ticket.id: self._desk.likely_start(view, ticket, world) for ticket in new if world}
        return frozenset(ticket.id for ticket in lately), {name: at for name, at in starts.items() if at}


def _waits_untold(ticket: Ticket) -> bool:
    return ticket.state is State.QUEUED and ticket.likely_start is None


def _keep(change: Transaction, found: Mapping[str, datetime]) -> None:
    for name, likely in found.items():
        ticket = change.ticket(name)
        if ticket is not None and _waits_untold(ticket):  # it may have been granted meanwhile
            change.save_ticket(replace(ticket, likely_start=likely))
