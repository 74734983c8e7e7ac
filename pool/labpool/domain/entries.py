"""What is booked for leases, planned places and reservations: of which thing how much, from when to when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from labpool.domain.bookings import Booking, Name
from labpool.domain.budgets import Accounts, Cost
from labpool.domain.catalogue import Catalogue
from labpool.domain.guarantees import Guarantees, Share
from labpool.domain.leases import Lease
from labpool.domain.needs import Amount, Need, flavour_key, node_key, of_host
from labpool.domain.reservations import Reservation, without_gaps
from labpool.domain.stock import Stock
from labpool.domain.world import World

INSTANT = timedelta(microseconds=1)


class OnNode(Protocol):
    """A node from some time on."""

    @property
    def node(self) -> str:
        """Its name."""

    @property
    def start(self) -> datetime:
        """The time."""


@dataclass(frozen=True, slots=True)
class Place:
    """Devices of a node from `start` to `end`, turnover not included."""

    node: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Entries:
    """Bookings under the rules of one world."""

    catalogue: Catalogue
    stock: Stock
    guarantees: Guarantees
    accounts: Accounts

    def of_world(
        self, world: World, hosts: Mapping[str, tuple[int, int]], now: datetime, margin: timedelta
    ) -> Iterator[tuple[Name, Booking]]:
        """All live leases and reservations; `hosts` are CPU and memory of the leases' tickets."""
        for lease in world.counted:
            yield ("lease", lease.ticket), self.of_lease(lease, hosts.get(lease.ticket, (0, 0)), now)
        for lease in set(world.leases).difference(world.counted):
            yield ("lost", lease.ticket), self.of_lost(lease, now)
        for reservation in without_gaps(world.reservations, margin):
            if reservation.end + margin > now:
                yield ("reservation", reservation.id), self.of_reservation(reservation, now)

    def of_place(self, need: Need, place: OnNode, rank: int, now: datetime) -> Booking:
        """A place that is set aside for `need`; one whose start has passed counts from now on."""
        start, on_node = max(place.start, now), need.on(place.node)
        end = start + need.duration
        shares = self.guarantees.shares(need.project, ((flavour_key(need.flavour), need.gpus), *on_node))
        amounts = (*((cap.key, cap.amount) for cap in need.caps), *on_node)
        return Booking(start, end, amounts, rank, shares, self._costs(need, need.gpus, start, end))

    def of_lease(self, lease: Lease, host: tuple[int, int], now: datetime) -> Booking:
        """A live lease holds its devices now, whatever the clock says about its start and end.

        Of a node it counts only for devices that can be granted again: a withheld one is missing there anyway. `host`
        is its CPU and memory.
        """
        held, nodes = len(lease.devices), self.stock.nodes_of_each(lease.devices)
        on_nodes: list[Amount] = [(node_key(node, lease.flavour), nodes.count(node)) for node in set(nodes)]
        amounts: list[Amount] = [
            (("server", lease.user, lease.name), 1),
            (("user", lease.user), held),
            (("project", lease.project, lease.flavour), held),
            *on_nodes,
            *(of_host(nodes[0], *host) if nodes else ()),
        ]
        shares = self.guarantees.shares(lease.project, ((flavour_key(lease.flavour), len(nodes)), *on_nodes))
        costs = self._costs(lease, held, lease.starts, lease.ends)
        return Booking(now, max(lease.ends, now + INSTANT), tuple(amounts), shares=shares, costs=costs)

    def of_lost(self, lease: Lease, now: datetime) -> Booking:
        """A lease that is lost with its node holds nothing, but what is set aside for it stays so until it is over."""
        costs = self._costs(lease, len(lease.devices), lease.starts, lease.ends)
        return Booking(now, max(lease.ends, now + INSTANT), (), costs=costs)

    def of_reservation(self, each: Reservation, now: datetime) -> Booking:
        """A reservation gives its project so many devices more, and takes them from everybody else."""
        start = max(each.start, now)
        if not each.project:
            on_node = self.stock.on_node(each.node)
            everywhere = [(flavour_key(key[2]), devices) for key, devices in on_node]
            return Booking(start, each.end, tuple(on_node), shares=self.guarantees.shares("", (*on_node, *everywhere)))
        things = [flavour_key(each.flavour), *([node_key(each.node, each.flavour)] if each.node else [])]
        kept = (thing for thing in things if self.guarantees.has(thing))
        shares = tuple(Share(thing, each.project, -each.devices, each.devices) for thing in kept)
        return Booking(start, each.end, ((("project", each.project, each.flavour), -each.devices),), shares=shares)

    def _costs(self, whose: Need | Lease, devices: int, start: datetime, end: datetime) -> tuple[Cost, ...]:
        if whose.project not in self.accounts.budgets:
            return ()
        return self.accounts.costs(whose.project, self.catalogue.rate(whose.flavour, devices), start, end)
