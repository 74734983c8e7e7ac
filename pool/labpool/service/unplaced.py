"""Giving back the leases of servers for which the machine has no room, so that nobody waits for what can't come."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from labpool.domain.ends import Requeue, due_unplaced
from labpool.engines import Engine
from labpool.service.desk import Desk
from labpool.service.pace import Held

_LOG = logging.getLogger(__name__)


async def give_up_unplaced(desk: Desk, engine: Engine, held: Iterable[Held]) -> dict[str, Requeue]:
    """End servers that found no room in time; give what is to be written down of each, by its ticket."""
    given_up: dict[str, Requeue] = {}
    for ticket, lease in held:
        since = (await engine.unplaced()).get(ticket.id)  # asked anew: the end of one may have made room for the next
        step = due_unplaced(lease, ticket, desk.catalogue.queue, desk.clock(), since) if since else None
        if step is not None and await desk.find_lease(ticket.id) == lease:
            _LOG.warning("no room for a server on the machine of its GPUs", extra={"ticket": ticket.id})
            if not await engine.give_up(lease):
                given_up[ticket.id] = step
    return given_up
