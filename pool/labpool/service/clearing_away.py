"""Letting nothing of a lease that is over stand in the way of what comes after it."""

from __future__ import annotations

import logging

from labpool.domain.ends import Action, End, Requeue
from labpool.domain.tickets import Ticket
from labpool.engines import Engine
from labpool.hub_api import HubClient, HubError
from labpool.service.desk import Desk
from labpool.service.sightings import Sighting
from labpool.service.trail import unnamed

_LOG = logging.getLogger(__name__)


class ClearingAway:
    """Tells engine and hub of leases that are over."""

    def __init__(self, desk: Desk, engine: Engine, hub: HubClient) -> None:
        self._desk, self._engine, self._hub = desk, engine, hub

    async def after(self, action: Action, ticket: Ticket, seen: Sighting) -> None:
        """Clear away what `action` leaves of a ticket's server, which has ended or is lost."""
        if not isinstance(action, End | Requeue):
            return
        if action.lost:
            await self._engine.forget(ticket.id)
        elif await self._desk.find_lease(ticket.id) is not None:
            return  # granted again: the hub sees by itself that the server has ended
        if seen.listed(ticket):
            await self.tell_hub(ticket)

    async def tell_hub(self, ticket: Ticket) -> None:
        """The hub finds out by itself within its poll interval; told, its pages are right at once."""
        try:
            await self._hub.stop(ticket.user, ticket.name)
        except HubError as error:
            _LOG.info(
                "the hub could not be told of a server's end: %s", unnamed(error, ticket), extra={"ticket": ticket.id}
            )
