"""Working out when those who have just come in line will likely start, beside the decision that put them there."""

from __future__ import annotations

import asyncio
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


class FirstEstimates:
    """Looks for newcomers after changes. What they are told first is kept with their tickets, to measure its error."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._looked_at: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Work out until cancelled; many may come at once, so it rests the longer the more there is to do."""
        while True:
            count, began = self._desk.changes.count, time.monotonic()
            await self.look()
            await asyncio.sleep(max(_REST, breath(time.monotonic() - began)))
            await self._desk.changes.after(count, _IDLE)

    async def look(self) -> None:
        """Work out the likely start of all who have come since the last look."""
        lately = await self._desk.view(self._lately)
        if new := {name: flavour for name, flavour in lately.items() if name not in self._looked_at}:
            starts = await self._desk.likely_starts(set(new.values()))
            found = {name: starts[name] for name in new if name in starts}
            if found:
                await self._desk.change(lambda change: _keep(change, found), replan=False)
        self._looked_at = frozenset(lately)

    def _lately(self, view: Transaction) -> dict[str, str]:
        """Who has come lately and was told nothing yet, with the flavour."""
        since = self._desk.clock() - _JUST
        tickets = (ticket for ticket in view.open_tickets() if ticket.requested_at > since)
        return {ticket.id: ticket.flavour for ticket in tickets if _waits_untold(ticket)}


def _waits_untold(ticket: Ticket) -> bool:
    return ticket.state is State.QUEUED and ticket.likely_start is None


def _keep(change: Transaction, found: Mapping[str, datetime]) -> None:
    for name, likely in found.items():
        ticket = change.ticket(name)
        if ticket is not None and _waits_untold(ticket):  # it may have been granted meanwhile
            change.save_ticket(replace(ticket, likely_start=likely))
