"""When and on which node a request fits: devices, CPU, memory and caps over time.

Which of a node's devices somebody gets is settled at the grant: until then a place counts devices, so that what frees
early on one of them serves whoever comes next on that node. For intervals of time enough devices at each moment are
enough devices for everybody.

Each booked span has the turnover margin behind it, so that a new place leaves the margin on both sides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from labpool.domain.bookings import Bookings, Layer
from labpool.domain.bounds import Bounds
from labpool.domain.budgets import Accounts, Spent
from labpool.domain.entries import Entries
from labpool.domain.fallbacks import Fallbacks, names_of
from labpool.domain.guarantees import owners_of
from labpool.domain.leases import Lease, OnNode, Place, Slot
from labpool.domain.needs import Cap, Key, Need, Needs, flavour_key, node_key
from labpool.domain.payments import Payments, late_work
from labpool.domain.stock import Stock
from labpool.domain.tickets import State, Ticket
from labpool.domain.timeline import FOREVER, INSTANT, Timeline, first_common_start
from labpool.domain.world import World


class Schedule:
    """All bookings: the live leases from the beginning, and what `book` and `hold` add.

    Args:
        world: Inventory, rules, tickets and leases.
        now: The current time.
        margin: Kept free behind each booking; the rules' turnover where it is not given.
    """

    def __init__(self, world: World, now: datetime, margin: timedelta | None = None) -> None:
        self.now = now
        self.margin = world.catalogue.queue.turnover if margin is None else margin
        self.needs = Needs(world)
        self._world = world
        self.stock = Stock(world)
        self._room = self.stock.room
        self._extended = {("project", each.project, each.flavour) for each in world.reservations}
        self._leases = {lease.ticket: lease for lease in world.counted}
        lateness = max(world.catalogue.queue.turnover - self.margin, timedelta(0))
        accounts = Accounts(world.catalogue.budgets(), world.spent, late_work(world, lateness))
        self._bookings = Bookings(now, self.margin, owners_of(world), accounts)
        self.guarantees = self._bookings.guarantees
        self._entries = Entries(world.catalogue, self.stock, self.guarantees, accounts, lateness)
        self.payments = Payments(world.catalogue, self._bookings)
        self._bounds = Bounds(self._room, self.guarantees)
        lost = {lease.ticket: lease for lease in world.leases if lease.ticket not in self._leases}
        self.fallbacks = Fallbacks(self._bookings, self._entries, self._leases, lost)
        self._horizons: dict[tuple[str, int], datetime] = {}
        self._horizons_as_of = (0, now)
        for lease in world.counted:
            self.stock.hand_out(lease.devices)
        hosts = {t.id: self.needs.host(t) for t in world.tickets if t.state is not State.QUEUED}
        self._bookings.put_all(dict(self._entries.of_world(world, hosts, now, self.margin)))

    # what is booked

    def pass_to(self, now: datetime, spent: Spent) -> None:
        """Let time pass: leases that are past their end hold their devices all the same."""
        self.now = self._bookings.now = now
        self._bookings.accounts.spent = spent
        for ticket in self.overrunning():
            name = ("lease", ticket)
            self._bookings.put(name, self._bookings[name]._replace(end=now + INSTANT))

    def overrunning(self) -> frozenset[str]:
        """Tickets whose lease is past its end."""
        return frozenset(ticket for ticket, lease in self._leases.items() if lease.ends <= self.now)

    def hold(self, lease: Lease, ticket: Ticket) -> None:
        """Set a lease's devices aside; one that is known already has a new end."""
        self._leases[lease.ticket] = lease
        self.stock.hand_out(lease.devices)
        entry = self._entries.of_lease(lease, self.needs.host(ticket), self.now)
        self._bookings.put(("lease", lease.ticket), entry)
        self.fallbacks.follow_lease(lease.ticket)

    def free(self, ticket: str) -> None:
        """Take back what a lease held."""
        self.stock.take_in(self._leases.pop(ticket).devices)
        self._bookings.drop(("lease", ticket))

    def book(self, need: Need, place: OnNode, rank: int = 0) -> None:
        """Set `place` aside for `need`; one whose start has passed counts from now on."""
        self._bookings.put(("slot", need.ticket), self._entries.of_place(need, place, rank, self.now))

    def book_all(self, places: Iterable[tuple[Need, OnNode, int]]) -> None:
        """Set many places aside, each with its need and rank."""
        of_place = self._entries.of_place
        self._bookings.put_all({("slot", need.ticket): of_place(need, at, rank, self.now) for need, at, rank in places})

    def holds_all(self, places: Sequence[tuple[Need, OnNode]]) -> bool:
        """Whether many places, booked together, would never be more than there is of anything."""
        rooms = self._room | {cap.key: cap.most for need, _ in places for cap in need.caps}
        rooms |= {total: self._room.get(thing, 0) for thing, total in self.guarantees.totals()}
        entries = (self._entries.of_place(need, place, 0, self.now) for need, place in places)
        return self._bookings.have_room_for(entries, rooms)

    def can_fall_back(self, need: Need, slot: Slot) -> bool:
        """Whether a slot can be kept for who holds a lease, and disturbs nobody."""
        devices, beyond = self.fallbacks.bookings_for(need, slot)
        layer, here, everywhere = self._bookings.layer(), node_key(slot.node, need.flavour), flavour_key(need.flavour)
        of_kept, on_node, anywhere = self._bounds.of_kept, self._bounds.on_node, self._bounds.anywhere
        bounds = (
            (devices, [*on_node(need, slot.node, layer, kept=False), *of_kept(need, slot.node, here, layer)]),
            (beyond, [*anywhere(need, layer, kept=False), *of_kept(need, slot.node, everywhere, layer)]),
        )
        fits = all(track.fits(room, span.start, span.end) for span, tracks in bounds for track, room in tracks)
        return fits and self._bookings.accounts.first_lacking(layer.booked, beyond.costs) is None

    def release(self, ticket: str) -> None:
        """Take back what `book` set aside for `ticket`."""
        self._bookings.drop(("slot", ticket))

    def weaker_than(self, rank: int) -> list[str]:
        """Tickets with a place of a weaker rank, the weakest and the latest first."""
        return self._bookings.weaker_than(rank)

    # what is free

    def nodes_of(self, flavour: str) -> Mapping[str, list[str]]:
        """Devices of `flavour` that may be granted, by node."""
        return self.stock.nodes_of(flavour)

    def nodes_with(self, devices: Iterable[str]) -> set[str]:
        """Nodes of devices that may be granted."""
        return set(self.stock.nodes_of_each(devices))

    def usable(self, need: Need, node: str) -> bool:
        """Whether `node` has as many devices as `need` asks for, those out of use left out."""
        return len(self.nodes_of(need.flavour).get(node, ())) >= need.gpus

    def unleased(self, flavour: str, node: str) -> list[str]:
        """Devices of a node that nobody holds, those of lower index first."""
        return self.stock.unleased(flavour, node)

    def stands(self, need: Need, place: Place, without: Collection[str] = (), kept: bool = True) -> bool:
        """Whether `place` disturbs nobody, the leases and places of the tickets in `without` left aside.

        A reservation may be left aside too, and without `kept` all that others keep and don't use.
        """
        kinds = ("lease", "slot", "reservation")
        with self._bookings.left_aside([(kind, name) for name in without for kind in kinds]):
            layer = self._bookings.layer()
            tracks = [*self._bounds.on_node(need, place.node, layer, kept), *self._bounds.anywhere(need, layer, kept)]
            fits = all(track.fits(room, place.start, place.end) for track, room in tracks)
            return fits and self.payments.affordable_from(need, place.start) == place.start

    def has_room_for_what_is_kept(self) -> bool:
        """Whether all that is taken or kept now is there: not so while a lease runs over its end."""
        things = [thing for thing, _ in self.guarantees.totals()]
        return all(not self.missing_of_what_is_kept(thing, self.now, self.now + INSTANT) for thing in things)

    def missing_of_what_is_kept(self, thing: Key, start: datetime, end: datetime) -> int:
        """How much more of a thing is taken or kept from `start` to `end` than there is."""
        total = dict(self.guarantees.totals()).get(thing)
        taken = self._bookings.layer()[total].most_taken(start, end) if total else 0
        return max(taken - self._room.get(thing, 0), 0)

    def allows(self, cap: Cap, start: datetime, end: datetime) -> bool:
        """Whether `cap` leaves room from `start` to `end`."""
        return self._bookings.layer()[cap.key].fits(cap.most - cap.amount, start, end)

    def earliest(
        self,
        need: Need,
        before: datetime = FOREVER,
        within: Collection[str] | None = None,
        rank: int | None = None,
    ) -> Place | None:
        """The earliest place from now on that starts before `before`, on a node of `within` where that is given.

        Of several, a node with the fewest free devices is taken, so that whole nodes stay whole. Where `rank` is given,
        places of weaker ranks don't count.
        """
        layer = self._bookings.layer(rank)
        caps = self._bounds.anywhere(need, layer)
        if any(cap.amount > cap.most and cap.key not in self._extended for cap in need.caps):
            return None
        at = first_common_start(caps, need.duration + self.margin, self.now, before)
        if at is None:
            return None
        best = (before, 0, "")
        for node, devices in self.nodes_of(need.flavour).items():
            if len(devices) < need.gpus or (within is not None and node not in within):
                continue
            if best[0] == at and not self._starts_better(need, node, len(devices), best, layer):
                continue
            tracks = self._bounds.on_node(need, node, layer)
            if any(room < 0 for _, room in tracks):
                continue
            latest = min(before, best[0] + INSTANT) if best[0] < FOREVER else before
            start = self._first_start(need, [*tracks, *caps], at, latest, layer)
            if start is not None:
                offer = (start, len(devices) - tracks[0][0].taken_at(start), node)
                best = min(best, offer) if best[2] else offer
        start, _, node = best
        return Place(node, start, start + need.duration) if node else None

    def _starts_better(
        self, need: Need, node: str, devices: int, best: tuple[datetime, int, str], layer: Layer
    ) -> bool:
        """Whether a node's devices leave the hope of a start at the time of `best`, with fewer ones free than there."""
        key, (at, *rest) = node_key(node, need.flavour), best
        taken = layer[key].taken_at(at)
        return taken <= self._room.get(key, 0) - need.gpus and [devices - taken, node] < rest

    def _first_start(
        self, need: Need, tracks: Sequence[tuple[Timeline, int]], at: datetime, before: datetime, layer: Layer
    ) -> datetime | None:
        """The first time from `at` on, and before `before`, that suits all of `tracks` and the budget."""
        length = need.duration + self.margin
        while True:
            start = first_common_start(tracks, length, at, before)
            if start is None:
                return None
            at = self.payments.affordable_from(need, start, layer)
            if at == start:
                return start

    def may_have(self, need: Need, nodes: Iterable[str], before: datetime, own: OnNode) -> bool:
        """Whether a place before `before` is not out of the question, for who has its `own` place later than that.

        Looks at one thing after the other, and at none from the own place on, which is booked on some of them.
        """
        layer, length, now = self._bookings.layer(), need.duration + self.margin, self.now
        if not all(self.cap_may_allow(cap, need, before, own) for cap in need.caps):
            return False
        for node in nodes:
            key = node_key(node, need.flavour)
            room, cut = self._room.get(key, 0) - need.gpus, own.start if node == own.node else None
            if room >= 0 and layer[key].first_start(room, length, now, before, cut) is not None:
                return True
        return False

    def cap_may_allow(self, cap: Cap, need: Need, before: datetime, own: OnNode) -> bool:
        """Whether one cap leaves a start before `before` to who has its `own` place later than that, as far as seen."""
        length = need.duration + self.margin
        track = self._bookings.layer()[cap.key]
        return track.first_start(cap.most - cap.amount, length, self.now, before, own.start) is not None

    def free_on(self, node: str, flavour: str, start: datetime, end: datetime) -> int:
        """Devices of a node that nothing is booked on from `start` to `end`; below 0 where it is overbooked."""
        key = node_key(node, flavour)
        return self._room.get(key, 0) - self._bookings.layer()[key].most_taken(start, end)

    def longest_now(self, need: Need) -> timedelta:
        """How long something like `need` could run that started now and disturbed nobody; 0 where it couldn't start."""
        layer = self._bookings.layer()
        caps = self._bounds.anywhere(need, layer)
        nodes = [self._bounds.on_node(need, node, layer) for node in self.nodes_of(need.flavour)]
        best = max((self._all_free_until(tracks) for tracks in nodes), default=self.now)
        free = min(best, self._all_free_until(caps)) - self.now - self.margin
        paid = self.payments.paid_until(need, self.now) - self.now
        return max(min(free, paid), timedelta(0))

    def kept_until(self, need: Need, since: datetime) -> dict[Key, datetime]:
        """Until when the lease of `need` could go on from `since`, for each thing that it takes; it delays nobody."""
        name, rooms = ("lease", need.ticket), self._room | {cap.key: cap.most for cap in need.caps}
        amounts = [(key, amount) for key, amount in self._bookings[name].amounts if key in rooms]
        with self._bookings.left_aside([name, *names_of(need.ticket)]):
            layer = self._bookings.layer()
            taken = {key: layer[key].free_until(rooms[key] - amount, since) for key, amount in amounts}
            for node in {key[1] for key, _ in amounts if key[0] == "node"}:
                for thing in (flavour_key(need.flavour), node_key(node, need.flavour)):
                    kept = self._bounds.of_kept(need, node, thing, layer)
                    taken |= {(*thing, "kept"): track.free_until(room, since) for track, room in kept}
        return {key: max(until - self.margin, since) for key, until in taken.items()}

    def horizon(self, flavour: str, gpus: int) -> datetime:
        """Until when some node has so many devices free from now on; now where none has."""
        if self._horizons_as_of != (self._bookings.changes, self.now):
            self._horizons, self._horizons_as_of = {}, (self._bookings.changes, self.now)
        known = self._horizons.get((flavour, gpus))
        if known is None:
            layer = self._bookings.layer()
            rooms = [(node_key(node, flavour), len(devices) - gpus) for node, devices in self.nodes_of(flavour).items()]
            free = (self._all_free_until([(layer[key], room)]) for key, room in rooms)
            known = self._horizons[flavour, gpus] = max(free, default=self.now)
        return known

    def _all_free_until(self, tracks: Iterable[tuple[Timeline, int]]) -> datetime:
        return min(track.free_until(room, self.now) for track, room in tracks)

    def without_place_of(self, ticket: str) -> AbstractContextManager[None]:
        """Within it the place that a ticket holds counts as free."""
        return self._bookings.left_aside([("slot", ticket)])

    def without_lease_of(self, ticket: str) -> AbstractContextManager[None]:
        """Within it what a ticket's lease holds counts as free."""
        return self._bookings.left_aside([("lease", ticket)])
