"""When and where a request fits: devices and caps over time.

A schedule is a working table of one planning. Each booked span is kept with its turnover margin behind it, so that a
new place always leaves the margin on both sides; whether a place that was given earlier still stands is asked without
the margin, which is how a grant that came a little late disturbs nobody.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from labpool.domain.leases import Lease
from labpool.domain.tickets import Ticket
from labpool.domain.world import World

FOREVER = datetime.max.replace(tzinfo=timezone.utc)
INSTANT = timedelta(microseconds=1)

Span = tuple[datetime, datetime, str]
Use = tuple[datetime, datetime, str, int]
Starts = list[tuple[datetime, datetime]]
CapKey = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `most` at once of what `key` names; the ticket takes `amount` of it."""

    key: CapKey
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
    """Devices from `start` to `end`, turnover not included."""

    devices: tuple[str, ...]
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


def _uses_of(lease: Lease) -> tuple[tuple[CapKey, int], ...]:
    held = len(lease.devices)
    return (
        (("server", lease.user, lease.name), 1),
        (("user", lease.user), held),
        (("project", lease.project, lease.flavour), held),
    )


class Schedule:
    """All bookings of one planning: the live leases from the beginning, and what `book` adds."""

    def __init__(self, world: World, now: datetime) -> None:
        self.now = now
        self.margin = world.catalogue.queue.turnover
        self.overrunning = frozenset(lease.ticket for lease in world.leases if lease.ends <= now)
        self._world = world
        self._nodes: dict[str, dict[str, list[str]]] = {}
        self._busy: dict[str, list[Span]] = {}
        self._uses: dict[CapKey, list[Use]] = {}
        for lease in world.leases:
            self._add_lease(lease)

    def _add_lease(self, lease: Lease) -> None:
        """A live lease holds its devices now, whatever the clock says about its start and end."""
        place = Place(lease.devices, min(lease.starts, self.now), max(lease.ends, self.now + INSTANT))
        self._add(lease.ticket, place, _uses_of(lease))

    def _add(self, ticket: str, place: Place, uses: Iterable[tuple[CapKey, int]]) -> None:
        end = place.end + self.margin
        for device in place.devices:
            insort(self._busy.setdefault(device, []), (place.start, end, ticket))
        for key, amount in uses:
            self._uses.setdefault(key, []).append((place.start, end, ticket, amount))

    def book(self, need: Need, place: Place) -> None:
        """Set `place` aside for `need`; one whose start has passed counts from now on."""
        start = max(place.start, self.now)
        moved = Place(place.devices, start, start + need.duration)
        self._add(need.ticket, moved, ((cap.key, cap.amount) for cap in need.caps))

    def release(self, need: Need, place: Place) -> None:
        """Take back what `book` set aside."""
        for device in place.devices:
            self._busy[device] = [span for span in self._busy[device] if span[2] != need.ticket]
        for cap in need.caps:
            self._uses[cap.key] = [use for use in self._uses[cap.key] if use[2] != need.ticket]

    def usable(self, need: Need, devices: Sequence[str]) -> bool:
        """Whether `devices` are what `need` asks for: as many, of the flavour, on one node, none withheld."""
        nodes = self._nodes_of(need.flavour).values()
        return len(devices) == need.gpus and any(set(devices) <= set(node) for node in nodes)

    def stands(self, need: Need, place: Place, without: Collection[str] = ()) -> bool:
        """Whether `place` disturbs nobody, the bookings of the tickets in `without` left aside."""
        for device in place.devices:
            spans = (span for span in self._busy.get(device, ()) if span[2] not in without)
            if any(start < place.end and place.start < end - self.margin for start, end, _ in spans):
                return False
        return all(self.allows(cap, place, without) for cap in need.caps)

    def allows(self, cap: Cap, place: Place, without: Collection[str] = ()) -> bool:
        """Whether `cap` leaves room over the whole of `place`, the bookings of the tickets in `without` left aside."""
        uses = [(s, e - self.margin, t, n) for s, e, t, n in self._uses.get(cap.key, ()) if t not in without]
        full = crowded(uses, cap.most - cap.amount)
        return cap.amount <= cap.most and not any(s < place.end and place.start < e for s, e, _ in full)

    def earliest(self, need: Need, before: datetime = FOREVER, within: Collection[str] | None = None) -> Place | None:
        """The earliest place from now on that starts before `before`, on the devices `within` where they are given.

        Of several, a node with the fewest free devices is taken and on it the devices with the shortest gap, so that
        whole nodes and long gaps stay whole.
        """
        windows = self._windows(need, before)
        if windows is None:
            return None
        length = need.duration + self.margin
        found: list[tuple[datetime, int, str, list[str]]] = []
        for node, devices in self._nodes_of(need.flavour).items():
            allowed = [device for device in devices if within is None or device in within]
            gaps = {device: self._gaps(device, length, before) for device in allowed}
            start = first_common(gaps.values(), need.gpus, windows)
            if start is not None:
                free = _tightest_first(gaps, start)
                found.append((start, len(free), node, free))
        if not found:
            return None
        start, _, _, free = min(found)
        return Place(tuple(free[: need.gpus]), start, start + need.duration)

    def _gaps(self, device: str, length: timedelta, before: datetime) -> Starts:
        return free_starts(self._busy.get(device, ()), length, self.now, before)

    def _windows(self, need: Need, before: datetime) -> list[Starts] | None:
        """Start times that each cap allows, where it restricts any; None where one can never be met."""
        if any(cap.amount > cap.most for cap in need.caps):
            return None
        length = need.duration + self.margin
        full = (crowded(self._uses.get(cap.key, ()), cap.most - cap.amount) for cap in need.caps)
        return [free_starts(spans, length, self.now, before) for spans in full if spans]

    def _nodes_of(self, flavour: str) -> dict[str, list[str]]:
        if flavour not in self._nodes:
            self._nodes[flavour] = self._world.usable_devices(flavour)
        return self._nodes[flavour]


def free_starts(busy: Sequence[Span], length: timedelta, now: datetime, before: datetime) -> Starts:
    """Closed intervals of the times before `before` at which something of `length` may start between `busy` spans."""
    starts: Starts = []
    free_from = now
    for start, end, _ in busy:
        if start - free_from >= length:
            starts.append((free_from, start - length))
        if end > free_from:
            free_from = end
            if free_from >= before:
                return starts
    starts.append((free_from, FOREVER))
    return starts


def crowded(uses: Sequence[Use], room: int) -> list[Span]:
    """The spans in which more than `room` is used."""
    if sum(use[3] for use in uses) <= room:
        return []
    changes = sorted([(s, n) for s, _, _, n in uses] + [(e, -n) for _, e, _, n in uses])
    spans: list[Span] = []
    used, since = 0, None
    for at, change in changes:
        used += change
        if since is None and used > room:
            since = at
        elif since is not None and used <= room:
            spans.append((since, at, ""))
            since = None
    return spans


def first_common(gaps: Iterable[Starts], count: int, windows: Sequence[Starts]) -> datetime | None:
    """First time that lies in at least `count` of `gaps` and in every one of `windows`; None where there is none."""
    events = [(at, step, 0) for starts in gaps for pair in starts for step, at in enumerate(pair)]
    events += [(at, step, 1) for starts in windows for pair in starts for step, at in enumerate(pair)]
    open_now = [0, 0]
    for at, step, kind in sorted(events):
        open_now[kind] += -1 if step else 1
        if not step and open_now[0] >= count and open_now[1] == len(windows):
            return at
    return None


def _tightest_first(gaps: dict[str, Starts], start: datetime) -> list[str]:
    """Devices that are free for a start at `start`, those with the least time to spare first."""
    spare = {device: last for device, starts in gaps.items() for first, last in starts if first <= start <= last}
    return sorted(spare, key=lambda device: spare[device])


def schedule_of(world: World, now: datetime, without: str = "") -> Schedule:
    """The schedule as it stands: leases, and the stored slots of all in line but the ticket `without`."""
    schedule = Schedule(world, now)
    slots = {slot.ticket: slot for slot in world.slots}
    for ticket in world.line():
        if ticket.id in slots and ticket.id != without:
            slot = slots[ticket.id]
            schedule.book(need_of(ticket, world), Place(slot.devices, slot.start, slot.end))
    return schedule
