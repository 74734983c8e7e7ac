"""When and on which node a request fits: devices and caps over time.

A schedule is a working table of one planning. Which of a node's devices somebody gets is settled at the grant: until
then a place counts devices, so that what frees early on one of them serves whoever comes next on that node. For
intervals of time enough devices at each moment are enough devices for everybody.

Each booked span is kept twice: with its turnover margin behind it, so that a new place leaves the margin on both
sides, and without, which is how a grant that came a little late disturbs nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from labpool.domain.leases import Lease
from labpool.domain.tickets import Ticket
from labpool.domain.timeline import FOREVER, Span, Timeline, first_common_start
from labpool.domain.world import World

INSTANT = timedelta(microseconds=1)

Key = tuple[str, ...]
"""What a timeline counts: ("server", user, name), ("user", user), ("project", project, flavour), ("node", node,
flavour)."""


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `most` at once of what `key` names; the ticket takes `amount` of it."""

    key: Key
    amount: int
    most: int


@dataclass(frozen=True, slots=True)
class Need:
    """What a ticket needs: devices of one flavour on one node for a duration, within every cap."""

    ticket: str
    flavour: str
    gpus: int
    duration: timedelta
    caps: tuple[Cap, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Devices of a node from `start` to `end`, turnover not included."""

    node: str
    start: datetime
    end: datetime


def need_of(ticket: Ticket, world: World) -> Need:
    """What `ticket` needs under the rules now in force. A project that is gone may hold nothing."""
    project = world.catalogue.projects.get(ticket.project)
    share = project.most_at_once(ticket.flavour) if project else 0
    caps = (
        Cap(("server", ticket.user, ticket.name), 1, 1),
        Cap(("user", ticket.user), ticket.gpus, world.limit_of(ticket.user).gpus),
        Cap(("project", ticket.project, ticket.flavour), ticket.gpus, share),
    )
    return Need(ticket.id, ticket.flavour, ticket.gpus, ticket.duration, caps)


class _Track(NamedTuple):
    """What is taken of one thing, with the turnover margin behind each booking and without."""

    spaced: Timeline
    exact: Timeline


class _Booking(NamedTuple):
    start: datetime
    end: datetime
    amounts: tuple[tuple[Key, int], ...]


class Schedule:
    """All bookings of one planning: the live leases from the beginning, and what `book` adds."""

    def __init__(self, world: World, now: datetime) -> None:
        self.now = now
        self.margin = world.catalogue.queue.turnover
        self.overrunning = frozenset(lease.ticket for lease in world.leases if lease.ends <= now)
        self._world = world
        self._usable: dict[str, dict[str, list[str]]] = {}
        self._node_of: dict[str, dict[str, str]] = {}
        self._handed_out = {device for lease in world.leases for device in lease.devices}
        self._bookings = {lease.ticket: self._booking_of(lease) for lease in world.leases}
        self._leased = self._spans_by_key()
        self._tracks: dict[Key, _Track] = {}

    def _booking_of(self, lease: Lease) -> _Booking:
        """A live lease holds its devices now, whatever the clock says about its start and end.

        Of a node it counts only for devices that can be granted again: a withheld one is missing there anyway.
        """
        held, flavour, node_of = len(lease.devices), lease.flavour, self._nodes_by_device(lease.flavour)
        on_nodes = [node_of[device] for device in lease.devices if device in node_of]
        amounts = (
            (("server", lease.user, lease.name), 1),
            (("user", lease.user), held),
            (("project", lease.project, flavour), held),
            *((_node(node, flavour), on_nodes.count(node)) for node in set(on_nodes)),
        )
        return _Booking(self.now, max(lease.ends, self.now + INSTANT), amounts)

    def _nodes_by_device(self, flavour: str) -> dict[str, str]:
        if flavour not in self._node_of:
            nodes = self.nodes_of(flavour).items()
            self._node_of[flavour] = {device: node for node, devices in nodes for device in devices}
        return self._node_of[flavour]

    def _spans_by_key(self) -> dict[Key, list[Span]]:
        spans: defaultdict[Key, list[Span]] = defaultdict(list)
        for booking in self._bookings.values():
            for key, amount in booking.amounts:
                spans[key].append((booking.start, booking.end, amount))
        return spans

    def _track(self, key: Key) -> _Track:
        """The timelines of `key`, made of the leases when they are first asked for."""
        if key not in self._tracks:
            leased = self._leased.get(key, ())
            spaced = Timeline.of([(start, end + self.margin, amount) for start, end, amount in leased])
            self._tracks[key] = _Track(spaced, Timeline.of(leased))
        return self._tracks[key]

    def book(self, need: Need, place: Place) -> None:
        """Set `place` aside for `need`; one whose start has passed counts from now on."""
        start = max(place.start, self.now)
        amounts = (*((cap.key, cap.amount) for cap in need.caps), (_node(place.node, need.flavour), need.gpus))
        booking = self._bookings[need.ticket] = _Booking(start, start + need.duration, amounts)
        self._take(booking, 1)

    def release(self, ticket: str) -> None:
        """Take back what `book` set aside for `ticket`."""
        self._take(self._bookings.pop(ticket), -1)

    def hand_out(self, need: Need, place: Place) -> tuple[str, ...]:
        """Devices for a place that starts now, each handed out once; those of lower index first."""
        usable = self.nodes_of(need.flavour).get(place.node, [])
        devices = tuple(device for device in usable if device not in self._handed_out)[: need.gpus]
        self._handed_out.update(devices)
        return devices

    def nodes_of(self, flavour: str) -> dict[str, list[str]]:
        """Devices of `flavour` that may be granted, by node."""
        if flavour not in self._usable:
            self._usable[flavour] = self._world.usable_devices(flavour)
        return self._usable[flavour]

    def usable(self, need: Need, node: str) -> bool:
        """Whether `node` has as many devices as `need` asks for, withheld ones left out."""
        return len(self.nodes_of(need.flavour).get(node, ())) >= need.gpus

    def stands(self, need: Need, place: Place, without: Collection[str] = ()) -> bool:
        """Whether `place` disturbs nobody, the bookings of the tickets in `without` left aside."""
        with self._left_aside(without):
            room = len(self.nodes_of(need.flavour).get(place.node, ())) - need.gpus
            free = self._track(_node(place.node, need.flavour)).exact.fits(room, place.start, place.end)
            return room >= 0 and free and all(self.allows(cap, place.start, place.end) for cap in need.caps)

    def allows(self, cap: Cap, start: datetime, end: datetime) -> bool:
        """Whether `cap` leaves room from `start` to `end`."""
        return cap.amount <= cap.most and self._track(cap.key).exact.fits(cap.most - cap.amount, start, end)

    def earliest(self, need: Need, before: datetime = FOREVER, within: str | None = None) -> Place | None:
        """The earliest place from now on that starts before `before`, on the node `within` where it is given.

        Of several, a node with the fewest free devices is taken, so that whole nodes stay whole.
        """
        if any(cap.amount > cap.most for cap in need.caps):
            return None
        caps = [(self._track(cap.key).spaced, cap.most - cap.amount) for cap in need.caps]
        length, best = need.duration + self.margin, (before, 0, "")
        for node, devices in self.nodes_of(need.flavour).items():
            if len(devices) < need.gpus or within not in (None, node):
                continue
            timeline = self._track(_node(node, need.flavour)).spaced
            latest = min(before, best[0] + INSTANT) if best[0] < FOREVER else before
            start = first_common_start([(timeline, len(devices) - need.gpus), *caps], length, self.now, latest)
            if start is not None:
                offer = (start, len(devices) - timeline.taken_at(start), node)
                best = min(best, offer) if best[2] else offer
        start, _, node = best
        return Place(node, start, start + need.duration) if node else None

    def longest_now(self, need: Need) -> timedelta:
        """How long something like `need` could run that started now and disturbed nobody; 0 where it couldn't start."""
        if any(cap.amount > cap.most for cap in need.caps):
            return timedelta(0)
        nodes = self.nodes_of(need.flavour).items()
        rooms = [(_node(node, need.flavour), len(devices) - need.gpus) for node, devices in nodes]
        best = max((self._free_until(key, room) for key, room in rooms if room >= 0), default=self.now)
        free = min([best, *(self._free_until(cap.key, cap.most - cap.amount) for cap in need.caps)])
        return max(free - self.now - self.margin, timedelta(0))

    def _free_until(self, key: Key, room: int) -> datetime:
        return self._track(key).spaced.free_until(room, self.now)

    def _take(self, booking: _Booking, sign: int) -> None:
        for key, amount in booking.amounts:
            track = self._track(key)
            track.exact.take(booking.start, booking.end, sign * amount)
            track.spaced.take(booking.start, booking.end + self.margin, sign * amount)

    @contextmanager
    def _left_aside(self, tickets: Iterable[str]) -> Iterator[None]:
        bookings = [self._bookings[ticket] for ticket in tickets if ticket in self._bookings]
        for booking in bookings:
            self._take(booking, -1)
        yield
        for booking in bookings:
            self._take(booking, 1)


def _node(node: str, flavour: str) -> Key:
    return ("node", node, flavour)


def schedule_of(world: World, now: datetime, without: str = "") -> Schedule:
    """The schedule as it stands: leases, and the stored slots of all in line but the ticket `without`."""
    schedule = Schedule(world, now)
    slots = {slot.ticket: slot for slot in world.slots}
    for ticket in world.line():
        if ticket.id in slots and ticket.id != without:
            slot = slots[ticket.id]
            schedule.book(need_of(ticket, world), Place(slot.node, slot.start, slot.end))
    return schedule
