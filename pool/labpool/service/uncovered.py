"""Ending what runs without a lease, or past its end, before its devices work for somebody else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from labpool.domain.leases import Lease
from labpool.domain.tickets import HOLDING, Ticket
from labpool.engines import Engine
from labpool.service.desk import Desk
from labpool.service.pace import Held

_LOG = logging.getLogger(__name__)


async def end_uncovered(desk: Desk, engine: Engine, tickets: Iterable[str]) -> None:
    """End the processes of those `tickets` that hold nothing.

    A ticket that nobody knows is one of a store that has been set back to a backup since: what it was granted, others
    may be granted now. All are ended at the same time: each is waited for.
    """
    await asyncio.gather(*(_end_uncovered(desk, engine, each) for each in tickets))


async def end_unless_changed(desk: Desk, engine: Engine, held: Iterable[Held]) -> None:
    """End the processes of leases that are over, all at the same time, but of those that are others by now.

    The store is asked once more, since it is asked for the last time: by now another pool may lead.
    """
    await asyncio.gather(*(_end_unless_changed(desk, engine, *each) for each in held))


async def _end_uncovered(desk: Desk, engine: Engine, ticket_id: str) -> None:
    ticket = await desk.find(ticket_id)
    if ticket is None or ticket.state not in HOLDING:
        _LOG.warning("ending a process of a ticket that holds nothing", extra={"ticket": ticket_id})
        await engine.kill(ticket_id)


async def _end_unless_changed(desk: Desk, engine: Engine, ticket: Ticket, lease: Lease) -> None:
    if await desk.find_lease(ticket.id) == lease:
        await engine.kill(ticket.id)
