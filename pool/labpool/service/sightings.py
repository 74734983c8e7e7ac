"""What runs, as the machine and the hub show it at one look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from labpool.domain.catalogue import Limits
from labpool.domain.leases import Lease
from labpool.domain.tickets import State, Ticket
from labpool.engines import Bearer
from labpool.hub_api import HubServer

RECONNECT = timedelta(seconds=15)
"""A hub that was just restarted lists its servers one by one: so long is a running server's absence not believed."""

Servers = Mapping[tuple[str, str], HubServer]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look: processes or pods by ticket, the hub's servers by (user, name), and those being started now, by ticket.

    `servers` is None where the hub did not answer; nothing is concluded from that. `unlisted` says since when the hub
    has not named the server of a ticket that has processes.
    """

    at: datetime
    processes: Mapping[str, tuple[Bearer, ...]] = field(default_factory=dict)
    servers: Servers | None = None
    starting: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    unlisted: Mapping[str, datetime] = field(default_factory=dict)

    def runs(self, ticket: str) -> bool:
        """Whether anything of the ticket was found that lives."""
        return bool(self.processes.get(ticket))

    def ready(self, ticket: Ticket) -> bool:
        """Whether the ticket's server takes requests."""
        server = self._server_of(ticket)
        return server is not None and server.ready and not server.pending and self.runs(ticket.id)

    def listed(self, ticket: Ticket) -> bool:
        """Whether the hub has the ticket's server, ready or on its way."""
        return ticket.id in self.starting or self._server_of(ticket) is not None

    def name_taken(self, ticket: Ticket) -> bool:
        """Whether another server of this name runs, such as a CPU server that was started while waiting."""
        other = (self.servers or {}).get((ticket.user, ticket.name))
        return other is not None and other.profile != ticket.profile

    def crowding(self, ticket: Ticket, limits: Limits) -> tuple[str, ...]:
        """Names of the user's other servers where they are as many as the user may run; else none."""
        servers = {*(self.servers or ()), *self.starting.values()}
        others = sorted(name for user, name in servers if user == ticket.user and name != ticket.name)
        return tuple(others) if len(others) >= limits.of(ticket.user, ticket.groups).servers else ()

    def in_the_way(self, ticket: Ticket, limits: Limits) -> bool:
        """Whether the user must stop a server before the ticket's own can start."""
        return self.name_taken(ticket) or bool(self.crowding(ticket, limits))

    def of_interest(self, ticket: Ticket, limits: Limits) -> bool:
        """Whether the ticket's server can't just be started: there is something of it, or in its way."""
        return self.runs(ticket.id) or self.listed(ticket) or self.in_the_way(ticket, limits)

    def alive(self, ticket: Ticket, lease: Lease, by_processes: bool) -> bool:
        """Whether the ticket's server counts as there.

        Near its end, on a lost node (`by_processes`), or while it is being stopped, only processes count: it is they
        that keep devices busy. A used server that is up and of which nothing runs is dead, also before the hub finds
        that out.
        """
        if by_processes or lease.stopping_since is not None:
            return self.runs(ticket.id) or ticket.id in self.starting
        if self.servers is None:
            return True
        if self.listed(ticket):
            server = self._server_of(ticket)
            is_up = ticket.state is not State.GRANTED and server is not None and not server.pending
            return self.runs(ticket.id) or not is_up
        since = self.unlisted.get(ticket.id)
        return self.runs(ticket.id) and (since is None or self.at < since + RECONNECT)

    def _server_of(self, ticket: Ticket) -> HubServer | None:
        server = (self.servers or {}).get((ticket.user, ticket.name))
        return server if server is not None and server.profile == ticket.profile else None


def still_unlisted(before: Sighting, now: Sighting, tickets: Mapping[str, Ticket]) -> dict[str, datetime]:
    """Since when each running ticket has been unknown to the hub; a look without the hub's answer changes nothing."""
    if now.servers is None:
        return dict(before.unlisted)
    missing = (ticket for ticket in now.processes if ticket in tickets and not now.listed(tickets[ticket]))
    return {ticket: before.unlisted.get(ticket, now.at) for ticket in missing}
