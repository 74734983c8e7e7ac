"""Ending what runs without a lease, or past its end, before its devices work for somebody else."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from labpool.domain.leases import Lease
from labpool.domain.tickets import HOLDING, Ticket
from labpool.engines import Engine
from labpool.service.desk import Desk

_LOG = logging.getLogger(__name__)


async def end_uncovered(desk: Desk, engine: Engine, tickets: Iterable[str]) -> None:
    """End the processes of those `tickets` that hold nothing.

    A ticket that nobody knows is one of a store that has been set back to a backup since: what it was granted, others
    may be granted now.
    """
    for ticket_id in tickets:
        ticket = await desk.find(ticket_id)
        if ticket is None or ticket.state not in HOLDING:
            _LOG.warning("ending a process of a ticket that holds nothing", extra={"ticket": ticket_id})
            await engine.kill(ticket_id)


async def end_unless_changed(desk: Desk, engine: Engine, ticket: Ticket, lease: Lease) -> None:
    """End the processes of a lease that is over, unless it is another one by now.

    The store is asked once more, since it is asked for the last time: by now another pool may lead.
    """
    if await desk.find_lease(ticket.id) == lease:
        await engine.kill(ticket.id)
