"""Who starts now, and when everybody else will, around promises that stand.

Every queued ticket holds a place in the schedule, and its first one is a promise. A decision begins with the places
given before and only ever looks for earlier ones; building the schedule anew each time would
look right and break promises. Who gains first from what frees early is another question than who was promised what.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle

from labpool.domain.leases import Slot
from labpool.domain.plans import BreakCause, BrokenPromise, Grant, Plan
from labpool.domain.schedule import INSTANT, Need, Place, Schedule, need_of
from labpool.domain.tickets import Ticket
from labpool.domain.timeline import FOREVER
from labpool.domain.usage import booked_hours
from labpool.domain.world import World

TIME_LOST = frozenset({BreakCause.POOL_OUTAGE, BreakCause.OVERRUN})
PUNCTUAL = timedelta(seconds=10)
"""A start so little after the promise counts as kept, however short the turnover margin is set."""


def plan(world: World, now: datetime) -> Plan:
    """Decide for every ticket in line: start now, or the place it holds.

    Stored slots stand unless one cannot, and then the promise may break. A slot that lost its device, or that a change
    of the rules forbids, gets the earliest place that disturbs no other. Where time was lost, to an outage of the pool
    or a lease that would not end, the slots behind it on the same node move back with it, so that the order stays.
    What frees early goes, as far as that delays nobody, to the project with the least use for its weight, in it to the
    ticket with the least work (devices times wall time), and of equal ones to the first in line.

    `now` is aware; the pool is expected to plan within the turnover margin of each slot's start.
    """
    if not world.line():
        return Plan()
    draft = _Draft(world, now)
    draft.place_anew(draft.keep())
    draft.start_now()
    draft.improve()
    return draft.finish()


@dataclass
class _Draft:
    """The places of one planning while they are being found; `trouble` says which could not stay, and why."""

    world: World
    now: datetime
    line: tuple[Ticket, ...] = field(init=False)
    schedule: Schedule = field(init=False)
    needs: dict[str, Need] = field(init=False)
    stored: dict[str, Slot] = field(init=False)
    places: dict[str, Place] = field(default_factory=dict)
    held_up: set[str] = field(default_factory=set)
    trouble: dict[str, BreakCause] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.line = self.world.line()
        self.schedule = Schedule(self.world, self.now)
        self.needs = {ticket.id: need_of(ticket, self.world) for ticket in self.line}
        self.stored = {slot.ticket: slot for slot in self.world.slots if slot.ticket in self.needs}

    def keep(self) -> list[str]:
        """Book every stored slot that stands or only lost time, in line order; return the tickets of the others.

        Those whose slot could not stay come first, then those that have none yet.
        """
        displaced, new = [], []
        for ticket in self.line:
            slot = self.stored.get(ticket.id)
            if slot is None:
                new.append(ticket.id)
            elif not (self._keep_as_is(slot) or self._shift(slot)):
                displaced.append(ticket.id)
        return displaced + new

    def _keep_as_is(self, slot: Slot) -> bool:
        """Book a slot where it is, or from now on if its time has come; whether that disturbs nobody ahead."""
        need, place = self.needs[slot.ticket], self._as_of_now(slot)
        if not self.schedule.usable(need, slot.node):
            return False
        late = self._late(slot)
        if self.schedule.stands(need, place):
            if late:
                self.trouble[slot.ticket] = self._why_late(slot)
            self._take(slot.ticket, place)
            return True
        if slot.start > self.now or late or not self.schedule.stands(need, place, self.schedule.overrunning):
            return False
        self.held_up.add(slot.ticket)
        self._take(slot.ticket, place)
        return True

    def _shift(self, slot: Slot) -> bool:
        """Move a slot that only lost time to later on its own node, before those behind it; whether it could."""
        cause = self._cause(slot)
        self.trouble[slot.ticket] = cause
        if cause not in TIME_LOST:
            return False
        found = self.schedule.earliest(self.needs[slot.ticket], within=slot.node)
        if found:
            self._take(slot.ticket, found)
        return found is not None

    def place_anew(self, displaced: list[str]) -> None:
        """Give tickets without a place the earliest one, before anybody gains anything."""
        for ticket in displaced:
            self._move_before(ticket, FOREVER)

    def start_now(self) -> None:
        """Let start what can: of the projects the one with the least use for its weight first, in it the least work."""
        rules, use = self.world.catalogue, self._use()
        lines: dict[str, deque[Ticket]] = {}
        for ticket in sorted(self.line, key=lambda each: each.gpus * each.duration):
            lines.setdefault(ticket.project, deque()).append(ticket)
        while lines:
            project = min(lines, key=lambda name: (use[name] / rules.weight_of(name), name))
            ticket = lines[project].popleft()
            if not lines[project]:
                del lines[project]
            if self._move_before(ticket.id, min(self._bound(ticket.id), self.now + INSTANT)):
                use[project] += booked_hours(ticket.gpus, rules.charge_of(ticket.flavour), ticket.duration)

    def _use(self) -> dict[str, float]:
        """GPU-hours of each project: what its earlier runs still count for, and all that is set aside for the live."""
        rules, now = self.world.catalogue, self.now
        use = {project: self.world.usage.of(project, now) for project in {ticket.project for ticket in self.line}}
        for lease in self.world.leases:
            if lease.project in use:
                charge = rules.charge_of(lease.flavour)
                use[lease.project] += booked_hours(len(lease.devices), charge, lease.ends - lease.starts)
        return use

    def improve(self) -> None:
        """Let each ticket in line look for an earlier place, round after round, until nobody finds one."""
        looked_in_vain = 0
        for ticket in cycle(self.line):
            looked_in_vain = 0 if self._move_before(ticket.id, self._bound(ticket.id)) else looked_in_vain + 1
            if looked_in_vain == len(self.line):
                break

    def finish(self) -> Plan:
        """Read the decision off the places."""
        placed = [(ticket, self.places[ticket.id]) for ticket in self.line if ticket.id in self.places]
        waiting = [(ticket, place) for ticket, place in placed if not self._starts(ticket, place)]
        reports = [self._broken(ticket, self.places.get(ticket.id)) for ticket in self.line]
        return Plan(
            grants=tuple(self._grant(ticket, place) for ticket, place in placed if self._starts(ticket, place)),
            slots=tuple(self._slot(ticket.id, place) for ticket, place in waiting),
            broken=tuple(report for report in reports if report),
            promises={ticket.id: place.start for ticket, place in waiting if ticket.starts_by is None},
        )

    def _starts(self, ticket: Ticket, place: Place) -> bool:
        return place.start == self.now and ticket.id not in self.held_up

    def _grant(self, ticket: Ticket, place: Place) -> Grant:
        return Grant(ticket.id, self.schedule.hand_out(self.needs[ticket.id], place), place.start, place.end)

    def _slot(self, ticket: str, place: Place) -> Slot:
        if ticket in self.held_up:
            return self.stored[ticket]
        return Slot(ticket, place.node, place.start, place.end)

    def _late(self, slot: Slot) -> bool:
        return self.now > slot.start + self.schedule.margin

    def _as_of_now(self, slot: Slot) -> Place:
        """Where a slot would be if its ticket started as planned, or now if that time has come."""
        start = max(slot.start, self.now)
        return Place(slot.node, start, start + self.needs[slot.ticket].duration)

    def _cause(self, slot: Slot) -> BreakCause:
        """Why a slot does not stand: its node, lost time, lost time of one ahead, or else a change of the rules."""
        need = self.needs[slot.ticket]
        if not self.schedule.usable(need, slot.node):
            return BreakCause.DEVICE_UNAVAILABLE
        if self._late(slot):
            return self._why_late(slot)
        lost_time = {ticket: cause for ticket, cause in self.trouble.items() if cause in TIME_LOST}
        if self.schedule.stands(need, self._as_of_now(slot), without=lost_time.keys() | self.schedule.overrunning):
            return next(iter(lost_time.values()), BreakCause.ADMIN_CHANGE)
        allowed = all(self.schedule.allows(cap, slot.start, slot.end) for cap in need.caps)
        return BreakCause.DEVICE_UNAVAILABLE if allowed else BreakCause.ADMIN_CHANGE

    def _why_late(self, slot: Slot) -> BreakCause:
        """A slot that the pool saw since its start and did not grant was held up; another was not looked at."""
        looked_at = self.world.looked_at
        return BreakCause.OVERRUN if looked_at and looked_at >= slot.start else BreakCause.POOL_OUTAGE

    def _take(self, ticket: str, place: Place) -> None:
        self.schedule.book(self.needs[ticket], place)
        self.places[ticket] = place

    def _bound(self, ticket: str) -> datetime:
        """A place must start before this to be better than the one the ticket has."""
        if ticket in self.held_up:
            return self.now + INSTANT
        place = self.places.get(ticket)
        return place.start if place else FOREVER

    def _move_before(self, ticket: str, bound: datetime) -> bool:
        """Take the earliest place that starts before `bound`, or stay; whether it moved."""
        if bound <= self.now:
            return False
        need, old = self.needs[ticket], self.places.get(ticket)
        if old:
            self.schedule.release(ticket)
        found = self.schedule.earliest(need, bound)
        if found:
            self.held_up.discard(ticket)
            self._take(ticket, found)
        elif old:
            self.schedule.book(need, old)
        return found is not None

    def _broken(self, ticket: Ticket, place: Place | None) -> BrokenPromise | None:
        """The ticket's promise if this very plan breaks it; None where it stands or was reported before."""
        slot, cause = self.stored.get(ticket.id), self.trouble.get(ticket.id)
        if ticket.starts_by is None or slot is None or cause is None:
            return None
        latest = ticket.starts_by + max(self.schedule.margin, PUNCTUAL)
        if slot.start > latest or (place and place.start <= latest):
            return None
        return BrokenPromise(ticket.id, ticket.starts_by, place.start if place else None, cause)
