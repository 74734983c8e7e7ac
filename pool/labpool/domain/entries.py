"""What is booked for leases, planned places and reservations: of which thing how much, from when to when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from labpool.domain.bookings import Booking, Name
from labpool.domain.budgets import Accounts, Cost
from labpool.domain.catalogue import Catalogue
from labpool.domain.guarantees import Guarantees, Share
from labpool.domain.kept_devices import kept_for
from labpool.domain.leases import Lease, OnNode, Slot
from labpool.domain.needs import Amount, Key, Need, flavour_key, node_key, of_host
from labpool.domain.reservations import Reservation, without_gaps
from labpool.domain.stock import Stock
from labpool.domain.timeline import INSTANT
from labpool.domain.world import World


@dataclass(frozen=True, slots=True)
class Entries:
    """Bookings under the rules of one world. `lateness` is by how much a start may come late."""

    catalogue: Catalogue
    stock: Stock
    guarantees: Guarantees
    accounts: Accounts
    lateness: timedelta = timedelta(0)

    def of_world(
        self, world: World, hosts: Mapping[str, tuple[int, int]], now: datetime, margin: timedelta
    ) -> Iterator[tuple[Name, Booking]]:
        """All live leases and reservations; `hosts` are CPU and memory of the leases' tickets."""
        for lease in world.counted:
            yield ("lease", lease.ticket), self.of_lease(lease, hosts.get(lease.ticket, (0, 0)), now)
        for lease in set(world.leases).difference(world.counted):
            yield ("lost", lease.ticket), self.of_lost(lease, now)
        ahead = [each for each in world.reservations if each.end + self.lateness + margin > now]
        ahead = [each for each in ahead if not each.project or each.project in self.catalogue.projects]
        kept = kept_for(ahead, self.stock, self.guarantees)
        for each in without_gaps(ahead, self.lateness + margin):
            yield ("reservation", each.id), self.of_reservation(each, now, kept[each.id])

    def of_place(self, need: Need, place: OnNode, rank: int, now: datetime) -> Booking:
        """A place that is set aside for `need`; one whose start has passed counts from now on."""
        start, on_node = max(place.start, now), need.on(place.node)
        end = start + need.duration
        shares = self.guarantees.shares(need.project, place.node, ((flavour_key(need.flavour), need.gpus), *on_node))
        rate = self.catalogue.rate(need.flavour, need.gpus)
        amounts = (*((cap.key, cap.amount) for cap in need.caps), *on_node)
        return Booking(start, end, amounts, rank, shares, self.accounts.costs(need.project, rate, start, end))

    def of_fallback(
        self,
        need: Need,
        slot: Slot,
        rank: int,
        lease: Lease | None,
        paid: tuple[Cost, ...],
        now: datetime,
        margin: timedelta,
    ) -> tuple[Booking, Booking]:
        """A slot that is kept for who holds a `lease`, and uses one of the two at a time; None where that is lost.

        On another machine the devices are kept from the slot's start on. What the lease takes too is only kept for what
        lies beyond its end, and a budget only for what the slot would cost more than what is `paid`: set aside for the
        lease.
        """
        whole, things = self.of_place(need, slot, rank, now), tuple(need.on(slot.node))
        beyond = min(max(whole.start, lease.ends + margin), whole.end) if lease else whole.start
        same_node = lease is not None and slot.node in self.stock.nodes_of_each(lease.devices)
        caps = tuple((cap.key, cap.amount) for cap in need.caps)
        on_node = self.guarantees.shares(need.project, slot.node, things)
        anywhere = self.guarantees.shares(need.project, slot.node, ((flavour_key(need.flavour), need.gpus),))
        more = ((account, work - dict(paid).get(account, 0)) for account, work in whole.costs)
        costs = tuple(Cost(account, work) for account, work in more if work > 0)
        return (
            Booking(beyond if same_node else whole.start, whole.end, things, rank, on_node),
            Booking(beyond, whole.end, caps, rank, anywhere, costs),
        )

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
        shares = self.guarantees.shares(
            lease.project, nodes[0] if nodes else "", ((flavour_key(lease.flavour), len(nodes)), *on_nodes)
        )
        end = max(lease.ends, now + INSTANT)
        return Booking(now, end, tuple(amounts), shares=shares, costs=self.costs_of(lease))

    def costs_of(self, lease: Lease) -> tuple[Cost, ...]:
        """What is set aside for a lease."""
        return self.accounts.costs(lease.project, lease.rate, lease.starts, lease.ends)

    def of_lost(self, lease: Lease, now: datetime) -> Booking:
        """A lease that is lost with its node holds nothing, but what is set aside for it stays so until it is over."""
        return Booking(now, max(lease.ends, now + INSTANT), (), costs=self.costs_of(lease))

    def of_reservation(self, each: Reservation, now: datetime, kept: Mapping[Key, int]) -> Booking:
        """A reservation gives its project so many devices more, and takes from everybody else what is `kept` of things.

        For its project it lasts as much longer as a start may come late.
        """
        start = max(each.start, now)
        if not each.project:
            shares = self.guarantees.shares("", each.node, kept.items())
            return Booking(start, each.end, tuple(self.stock.on_node(each.node)), shares=shares)
        owners = ((self.guarantees.owner(each.project, each.node, thing), thing) for thing in kept)
        shares = tuple(Share(thing, owner, reserved=kept[thing]) for owner, thing in owners)
        amounts = ((("project", each.project, each.flavour), -each.devices),)
        return Booking(start, each.end + self.lateness, amounts, shares=shares)
