"""Which stored places still stand when the pool looks at its queue anew, and what became of the others.

A place stands unless it cannot, and then a promise may break. One that lost its device or its node, or that a change of
the rules forbids, is given up. Where time was lost, to an outage of the pool or a lease that would not end, the places
behind it on the same node move back with it, so that the order stays.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from labpool.domain.fallbacks import fallbacks
from labpool.domain.inventory import LOST, Condition
from labpool.domain.leases import Place, Slot
from labpool.domain.needs import Need
from labpool.domain.plans import BreakCause
from labpool.domain.schedule import Schedule
from labpool.domain.tickets import Ticket
from labpool.domain.world import World

TIME_LOST = frozenset({BreakCause.POOL_OUTAGE, BreakCause.OVERRUN})


@dataclass(slots=True)
class Kept:
    """What became of stored places: those that stand, by ticket, and who lost theirs, in line order.

    `fallbacks` are those that still stand of tickets that have started early, and `given_up` says why others don't;
    they give way to all others.
    `held_up` are those whose time has come and whose devices are not there yet; their places stay as they were.
    `trouble` says why a place could not stay.
    """

    places: dict[str, Place] = field(default_factory=dict)
    fallbacks: dict[str, Slot] = field(default_factory=dict)
    given_up: dict[str, BreakCause] = field(default_factory=dict)
    held_up: set[str] = field(default_factory=set)
    displaced: list[str] = field(default_factory=list)
    trouble: dict[str, BreakCause] = field(default_factory=dict)


def keep(world: World, line: Sequence[Ticket], slots: dict[str, Slot], now: datetime) -> Kept:
    """Look through the stored slots of the tickets in `line`, in that order."""
    keeper = _Keeper(world, now)
    placed = [ticket for ticket in line if ticket.id in slots]
    if placed and not keeper.keep_all(placed, slots):
        for ticket in placed:
            keeper.keep(ticket, slots[ticket.id])
    keeper.keep_fallbacks(fallbacks(world, now))
    return keeper.kept


class _Keeper:
    """The stored places one after another, each beside those before it: with the turnover margins and without.

    Without them is how a grant that came a little late disturbs nobody; with them is how a place is moved. Both are
    costly to make, so neither is made before it is needed.
    """

    def __init__(self, world: World, now: datetime) -> None:
        self.kept = Kept()
        self._world = world
        self._now = now
        self._not_booked: list[tuple[Need, Slot, int]] = []
        self._out_of_service = {n.name for n in world.inventory.nodes if n.condition is not Condition.SERVING}
        self._returned_nodes = _returned_nodes(world)
        self._returned = _leases_on(self._returned_nodes, world)

    @cached_property
    def _exact(self) -> Schedule:
        return Schedule(self._world, self._now, margin=timedelta(0))

    @cached_property
    def _spaced(self) -> Schedule:
        return Schedule(self._world, self._now)

    @cached_property
    def _overrunning(self) -> frozenset[str]:
        return self._exact.overrunning()

    def keep_all(self, line: Sequence[Ticket], slots: dict[str, Slot]) -> bool:
        """Keep all at once, which is fast; whether all stand as they are."""
        needs = {ticket.id: self._exact.needs.of(ticket) for ticket in line}
        if any(
            self._late(slots[name]) or not self._exact.usable(need, slots[name].node) for name, need in needs.items()
        ):
            return False
        if not self._exact.holds_all([(need, slots[name]) for name, need in needs.items()]):
            return False
        self.kept.places = {name: self._as_of_now(need, slots[name]) for name, need in needs.items()}
        self._not_booked = [(need, slots[name], 0) for name, need in needs.items()]
        return True

    def keep(self, ticket: Ticket, slot: Slot) -> None:
        """Keep one place as it is, move it back, or give it up."""
        need = self._exact.needs.of(ticket)
        if not (self._keep_as_is(need, slot) or self._shift(need, slot)):
            self.kept.displaced.append(ticket.id)

    def keep_fallbacks(self, slots: dict[str, Slot]) -> None:
        """Keep of these as many as find room behind the places of those in line."""
        if not slots:
            return
        self._exact.book_all(self._not_booked)
        tickets = (ticket for ticket in self._world.tickets if ticket.id in slots)
        for need, slot in ((self._exact.needs.of(ticket), slots[ticket.id]) for ticket in tickets):
            if self._exact.usable(need, slot.node) and self._exact.can_fall_back(need, slot):
                self._exact.fallbacks.keep(need, slot, 0)
                self.kept.fallbacks[need.ticket] = slot
            else:
                self.kept.given_up[need.ticket] = self._why_not_kept(need, slot)

    def _keep_as_is(self, need: Need, slot: Slot) -> bool:
        """Keep a slot where it is, or from now on if its time has come; whether that disturbs nobody ahead."""
        place = self._as_of_now(need, slot)
        if not self._exact.usable(need, slot.node):
            return False
        late = self._late(slot)
        if self._exact.stands(need, place):
            if late:
                self.kept.trouble[need.ticket] = self._why_late(slot)
            self._take(need, place)
            return True
        if slot.start > self._now or late or not self._exact.stands(need, place, self._overrunning):
            return False
        self.kept.held_up.add(need.ticket)
        self._take(need, place)
        return True

    def _shift(self, need: Need, slot: Slot) -> bool:
        """Move a slot that only lost time to later on its own node, before those behind it; whether it could."""
        cause = self._cause(need, slot)
        self.kept.trouble[need.ticket] = cause
        if cause not in TIME_LOST:
            return False
        found = self._spaced.earliest(need, within={slot.node})
        if found:
            self._take(need, found)
        return found is not None

    def _late(self, slot: Slot) -> bool:
        return self._now > slot.start + self._world.catalogue.queue.turnover

    def _as_of_now(self, need: Need, slot: Slot) -> Place:
        """Where a slot would be if its ticket started as planned, or now if that time has come."""
        start = max(slot.start, self._now)
        return Place(slot.node, start, start + need.duration)

    def _cause(self, need: Need, slot: Slot) -> BreakCause:
        """Why a slot does not stand: its node, lost time (its own or one's ahead), what came back, or changed rules."""
        if not self._exact.usable(need, slot.node):
            gone = slot.node in self._out_of_service
            return BreakCause.NODE_UNAVAILABLE if gone else BreakCause.DEVICE_UNAVAILABLE
        if self._late(slot):
            return self._why_late(slot)
        lost_time = {ticket: cause for ticket, cause in self.kept.trouble.items() if cause in TIME_LOST}
        without = lost_time.keys() | self._overrunning | self._returned
        if self._exact.stands(need, self._as_of_now(need, slot), without):
            other = BreakCause.NODE_UNAVAILABLE if self._returned else BreakCause.ADMIN_CHANGE
            return next(iter(lost_time.values()), other)
        return self._why_forbidden(need, self._as_of_now(need, slot))

    def _why_not_kept(self, need: Need, slot: Slot) -> BreakCause:
        """Why there is nothing to fall back on: its node, lost time, what came back, or changed rules."""
        if self._returned or not self._exact.usable(need, slot.node):
            gone = bool(self._returned) or slot.node in self._out_of_service
            return BreakCause.NODE_UNAVAILABLE if gone else BreakCause.DEVICE_UNAVAILABLE
        lost_time = (cause for cause in self.kept.trouble.values() if cause in TIME_LOST)
        with self._exact.without_lease_of(need.ticket):  # that is what it would have given back
            return next(lost_time, None) or self._why_forbidden(need, self._as_of_now(need, slot))

    def _why_forbidden(self, need: Need, place: Place) -> BreakCause:
        """Where devices are out of order or back, it is for them; else only an admin's act can forbid a place."""
        allowed = all(self._exact.allows(cap, place.start, place.end) for cap in need.caps)
        by_rules = not (allowed and self._exact.payments.affordable_from(need, place.start) == place.start)
        if by_rules or not (self._returned_nodes or self._exact.stock.lacks(need.flavour)):
            return BreakCause.ADMIN_CHANGE
        withheld = {device for device, _ in self._world.inventory.withheld}
        single = not withheld.isdisjoint(device.id for device in self._world.inventory.of_flavour(need.flavour))
        return BreakCause.DEVICE_UNAVAILABLE if single else BreakCause.NODE_UNAVAILABLE

    def _why_late(self, slot: Slot) -> BreakCause:
        """A slot that the pool saw since its start and did not grant was held up; another was not looked at."""
        looked_at = self._world.looked_at
        return BreakCause.OVERRUN if looked_at and looked_at >= slot.start else BreakCause.POOL_OUTAGE

    def _take(self, need: Need, place: Place) -> None:
        self._exact.book(need, place)
        self._spaced.book(need, place)
        self.kept.places[need.ticket] = place


def _returned_nodes(world: World) -> set[str]:
    """Nodes, once lost, that serve again since the last look: what is kept of them counts again, too."""
    since = {node.name: node.since for node in world.inventory.nodes if node.condition not in LOST and node.since}
    return {name for name, at in since.items() if world.looked_at is None or at >= world.looked_at}


def _leases_on(nodes: Set[str], world: World) -> frozenset[str]:
    """Tickets with a lease on one of these nodes."""
    devices = {device.id for device in world.inventory.devices if device.node in nodes} if nodes else set[str]()
    return frozenset(lease.ticket for lease in world.leases if not devices.isdisjoint(lease.devices))
