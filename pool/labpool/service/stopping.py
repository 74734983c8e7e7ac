"""Asking servers to stop, each once it has taken note of that; who has to ask again until it has."""

from __future__ import annotations

import logging

from labpool.domain.leases import Lease
from labpool.domain.tickets import Ticket
from labpool.engines import Engine
from labpool.service.desk import Desk
from labpool.store import Part

_LOG = logging.getLogger(__name__)


class Stopping:
    """Remembers whom it could not ask: a cluster that gives no answer for a moment must cost nobody their grace."""

    def __init__(self, desk: Desk, engine: Engine) -> None:
        self._desk, self._engine = desk, engine
        self._unasked: set[str] = set()

    async def begin(self, ticket: Ticket, lease: Lease) -> None:
        """Note that a server has to stop, unless its lease is another one by now, and ask it to."""
        if await self._desk.stopping(ticket.id, Part.POOL, seen=(ticket.state, lease.ends)):
            _LOG.info("asking a server to stop", extra={"ticket": ticket.id, "ends": lease.ends.isoformat()})
            await self.ask(ticket.id)

    async def ask(self, ticket: str) -> None:
        """Ask what runs of a ticket to end (SIGTERM)."""
        if await self._engine.terminate(ticket):
            self._unasked.discard(ticket)
        else:
            self._unasked.add(ticket)

    async def remind(self, ticket: str) -> None:
        """Ask again what could not be asked before; nobody is asked twice, which some take for an order to hurry."""
        if ticket in self._unasked:
            await self.ask(ticket)
