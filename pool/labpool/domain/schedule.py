"""When and on which node a request fits: devices, CPU, memory and caps over time.

Which of a node's devices somebody gets is settled at the grant: until then a place counts devices, so that what frees
early on one of them serves whoever comes next on that node. For intervals of time enough devices at each moment are
enough devices for everybody.

Each booked span has the turnover margin behind it, so that a new place leaves the margin on both sides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from labpool.domain.bookings import Booking, Bookings, Layer
from labpool.domain.leases import Lease
from labpool.domain.needs import Amount, Cap, Key, Need, Needs, node_key, of_host
from labpool.domain.tickets import State, Ticket
from labpool.domain.timeline import FOREVER, Timeline, first_common_start
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
        self._nodes: dict[str, dict[str, list[str]]] = {}
        self._node_of: dict[str, str] = {}
        self._room: dict[Key, int] = {}
        self._handed_out: set[str] = set()
        self._leases: dict[str, Lease] = {}
        self._bookings = Bookings(now, self.margin)
        self._horizons: dict[tuple[str, int], datetime] = {}
        self._take_stock()
        hosts = {t.id: self.needs.host(t) for t in world.tickets if t.state is not State.QUEUED}
        self._bookings.put_all({("lease", lease.ticket): self._held(lease, hosts) for lease in world.leases})

    def _take_stock(self) -> None:
        for flavour in {device.flavour for device in self._world.inventory.devices}:
            self._nodes[flavour] = self._world.usable_devices(flavour)
            for node, devices in self._nodes[flavour].items():
                self._room[node_key(node, flavour)] = len(devices)
                self._node_of.update(dict.fromkeys(devices, node))
        for machine in self._world.inventory.nodes:
            if machine.cpu and machine.memory_gib:
                self._room["cpu", machine.name] = round(1000 * machine.cpu)
                self._room["memory", machine.name] = round(1024 * machine.memory_gib)

    # what is booked

    def pass_to(self, now: datetime) -> None:
        """Let time pass: leases that are past their end hold their devices all the same."""
        self.now = self._bookings.now = now
        self._horizons.clear()
        for ticket in self.overrunning():
            name = ("lease", ticket)
            self._bookings.put(name, self._bookings[name]._replace(end=now + INSTANT))

    def overrunning(self) -> frozenset[str]:
        """Tickets whose lease is past its end."""
        return frozenset(ticket for ticket, lease in self._leases.items() if lease.ends <= self.now)

    def hold(self, lease: Lease, ticket: Ticket) -> None:
        """Set a lease's devices aside; one that is known already has a new end."""
        self._horizons.clear()
        self._bookings.put(("lease", lease.ticket), self._held(lease, {ticket.id: self.needs.host(ticket)}))

    def free(self, ticket: str) -> None:
        """Take back what a lease held."""
        self._horizons.clear()
        self._handed_out.difference_update(self._leases.pop(ticket).devices)
        self._bookings.drop(("lease", ticket))

    def book(self, need: Need, place: OnNode, rank: int = 0) -> None:
        """Set `place` aside for `need`; one whose start has passed counts from now on."""
        self._horizons.clear()
        self._bookings.put(("slot", need.ticket), self._placed(need, place, rank))

    def book_all(self, places: Iterable[tuple[Need, OnNode, int]]) -> None:
        """Set many places aside, each with its need and rank."""
        self._horizons.clear()
        self._bookings.put_all({("slot", need.ticket): self._placed(need, at, rank) for need, at, rank in places})

    def holds_all(self, places: Sequence[tuple[Need, OnNode]]) -> bool:
        """Whether many places, booked together, would never be more than there is of anything."""
        rooms = self._room | {cap.key: cap.most for need, _ in places for cap in need.caps}
        return self._bookings.have_room_for((self._placed(need, place, 0) for need, place in places), rooms)

    def release(self, ticket: str) -> None:
        """Take back what `book` set aside for `ticket`."""
        self._horizons.clear()
        self._bookings.drop(("slot", ticket))

    def weaker_than(self, rank: int) -> list[str]:
        """Tickets with a place of a weaker rank, the weakest and the latest first."""
        return self._bookings.weaker_than(rank)

    def _placed(self, need: Need, place: OnNode, rank: int) -> Booking:
        start = max(place.start, self.now)
        amounts = (*((cap.key, cap.amount) for cap in need.caps), *need.on(place.node))
        return Booking(start, start + need.duration, amounts, rank)

    def _held(self, lease: Lease, hosts: Mapping[str, tuple[int, int]]) -> Booking:
        """A live lease holds its devices now, whatever the clock says about its start and end.

        Of a node it counts only for devices that can be granted again: a withheld one is missing there anyway.
        """
        self._leases[lease.ticket] = lease
        self._handed_out.update(lease.devices)
        held, on_nodes = len(lease.devices), [self._node_of[d] for d in lease.devices if d in self._node_of]
        amounts: list[Amount] = [
            (("server", lease.user, lease.name), 1),
            (("user", lease.user), held),
            (("project", lease.project, lease.flavour), held),
        ]
        amounts += [(node_key(node, lease.flavour), on_nodes.count(node)) for node in set(on_nodes)]
        if on_nodes:
            amounts += of_host(on_nodes[0], *hosts.get(lease.ticket, (0, 0)))
        return Booking(self.now, max(lease.ends, self.now + INSTANT), tuple(amounts))

    # what is free

    def nodes_of(self, flavour: str) -> dict[str, list[str]]:
        """Devices of `flavour` that may be granted, by node."""
        return self._nodes.get(flavour, {})

    def nodes_with(self, devices: Iterable[str]) -> set[str]:
        """Nodes of devices that may be granted."""
        return {self._node_of[device] for device in devices if device in self._node_of}

    def usable(self, need: Need, node: str) -> bool:
        """Whether `node` has as many devices as `need` asks for, withheld ones left out."""
        return len(self.nodes_of(need.flavour).get(node, ())) >= need.gpus

    def unleased(self, flavour: str, node: str) -> list[str]:
        """Devices of a node that nobody holds, those of lower index first."""
        return [device for device in self.nodes_of(flavour).get(node, ()) if device not in self._handed_out]

    def hand_out(self, need: Need, place: OnNode) -> tuple[str, ...]:
        """Devices for a place that starts now, each handed out once."""
        devices = tuple(self.unleased(need.flavour, place.node)[: need.gpus])
        self._handed_out.update(devices)
        return devices

    def stands(self, need: Need, place: Place, without: Collection[str] = ()) -> bool:
        """Whether `place` disturbs nobody, the leases and places of the tickets in `without` left aside."""
        with self._bookings.left_aside([(kind, ticket) for ticket in without for kind in ("lease", "slot")]):
            layer = self._bookings.layer()
            tracks = [*self._node_tracks(need, place.node, layer), *_cap_tracks(need, layer)]
            return all(room >= 0 and track.fits(room, place.start, place.end) for track, room in tracks)

    def allows(self, cap: Cap, start: datetime, end: datetime) -> bool:
        """Whether `cap` leaves room from `start` to `end`."""
        room = cap.most - cap.amount
        return room >= 0 and self._bookings.layer()[cap.key].fits(room, start, end)

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
        caps = _cap_tracks(need, layer)
        if any(room < 0 for _, room in caps):
            return None
        length, best = need.duration + self.margin, (before, 0, "")
        for node, devices in self.nodes_of(need.flavour).items():
            if len(devices) < need.gpus or (within is not None and node not in within):
                continue
            tracks = self._node_tracks(need, node, layer)
            if any(room < 0 for _, room in tracks):
                continue
            latest = min(before, best[0] + INSTANT) if best[0] < FOREVER else before
            start = first_common_start([*tracks, *caps], length, self.now, latest)
            if start is not None:
                offer = (start, len(devices) - tracks[0][0].taken_at(start), node)
                best = min(best, offer) if best[2] else offer
        start, _, node = best
        return Place(node, start, start + need.duration) if node else None

    def may_have(self, need: Need, nodes: Iterable[str], before: datetime) -> bool:
        """Whether one of `nodes` has the devices for `need` from some time before `before` on, caps left aside."""
        layer, length = self._bookings.layer(), need.duration + self.margin
        for node in nodes:
            key = node_key(node, need.flavour)
            room = self._room.get(key, 0) - need.gpus
            if room >= 0 and layer[key].first_start(room, length, self.now, before) is not None:
                return True
        return False

    def free_on(self, node: str, flavour: str, start: datetime, end: datetime) -> int:
        """Devices of a node that nothing is booked on from `start` to `end`; below 0 where it is overbooked."""
        key = node_key(node, flavour)
        return self._room.get(key, 0) - self._bookings.layer()[key].most_taken(start, end)

    def longest_now(self, need: Need) -> timedelta:
        """How long something like `need` could run that started now and disturbed nobody; 0 where it couldn't start."""
        layer = self._bookings.layer()
        caps = _cap_tracks(need, layer)
        nodes = [self._node_tracks(need, node, layer) for node in self.nodes_of(need.flavour)]
        best = max((self._all_free_until(tracks) for tracks in nodes), default=self.now)
        return max(min(best, self._all_free_until(caps)) - self.now - self.margin, timedelta(0))

    def kept_until(self, need: Need, since: datetime) -> dict[Key, datetime]:
        """Until when the lease of `need` could go on from `since`, for each thing that it takes; it delays nobody."""
        name, rooms = ("lease", need.ticket), self._room | {cap.key: cap.most for cap in need.caps}
        amounts = [(key, amount) for key, amount in self._bookings[name].amounts if key in rooms]
        with self._bookings.left_aside([name]):
            layer = self._bookings.layer()
            taken = {key: layer[key].free_until(rooms[key] - amount, since) for key, amount in amounts}
        return {key: max(until - self.margin, since) for key, until in taken.items()}

    def horizon(self, flavour: str, gpus: int) -> datetime:
        """Until when some node has so many devices free from now on; now where none has."""
        known = self._horizons.get((flavour, gpus))
        if known is None:
            layer = self._bookings.layer()
            rooms = [(node_key(node, flavour), len(devices) - gpus) for node, devices in self.nodes_of(flavour).items()]
            free = (self._all_free_until([(layer[key], room)]) for key, room in rooms)
            known = self._horizons[flavour, gpus] = max(free, default=self.now)
        return known

    def _all_free_until(self, tracks: Iterable[tuple[Timeline, int]]) -> datetime:
        return min((track.free_until(room, self.now) if room >= 0 else self.now for track, room in tracks))

    def _node_tracks(self, need: Need, node: str, layer: Layer) -> list[tuple[Timeline, int]]:
        """What counts on `node`, its devices first; of CPU and memory that nobody has told there is enough."""
        on_node = need.on(node)
        return [
            (layer[key], self._room.get(key, 0) - amount)
            for key, amount in on_node
            if key in self._room or key[0] == "node"
        ]

    def without_place_of(self, ticket: str) -> AbstractContextManager[None]:
        """Within it the place that a ticket holds counts as free."""
        return self._bookings.left_aside([("slot", ticket)])


def _cap_tracks(need: Need, layer: Layer) -> list[tuple[Timeline, int]]:
    return [(layer[cap.key], cap.most - cap.amount) for cap in need.caps]


def schedule_of(world: World, now: datetime, without: str = "") -> Schedule:
    """The schedule as it stands: leases, and the stored slots of all in line but the ticket `without`."""
    schedule = Schedule(world, now)
    slots = {slot.ticket: slot for slot in world.slots if slot.ticket != without}
    line = (ticket for ticket in world.line() if ticket.id in slots)
    schedule.book_all((schedule.needs.of(ticket), slots[ticket.id], 0) for ticket in line)
    return schedule
