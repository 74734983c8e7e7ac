"""Who starts now, and when everybody else will: first come, first served, around promises that stand.

Every queued ticket holds a place in the schedule, and its first one is a promise. A decision begins with the places
given before and only ever looks for earlier ones; building the schedule anew each time would
look right and break promises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from labpool.domain.leases import Slot
from labpool.domain.plans import BreakCause, BrokenPromise, Grant, Plan
from labpool.domain.schedule import FOREVER, INSTANT, Need, Place, Schedule, need_of
from labpool.domain.tickets import Ticket
from labpool.domain.world import World

__all__ = ["BreakCause", "BrokenPromise", "Grant", "Plan", "World", "plan"]


def plan(world: World, now: datetime) -> Plan:
    """Decide for every ticket in line: start now, or the place it holds.

    Stored slots stand unless one cannot: then its ticket gets the earliest place that disturbs no other, and where that
    is later than promised the promise is reported broken with its cause. What frees early goes to the first in line
    that can use it without delaying anybody. `now` is aware; the pool is expected to plan within the turnover margin of
    each slot's start.
    """
    draft = _Draft(world, now)
    displaced = draft.keep()
    draft.place_anew(displaced)
    while draft.improve():
        pass
    return draft.finish(displaced)


@dataclass
class _Draft:
    world: World
    now: datetime
    line: tuple[Ticket, ...] = field(init=False)
    schedule: Schedule = field(init=False)
    needs: dict[str, Need] = field(init=False)
    stored: dict[str, Slot] = field(init=False)
    places: dict[str, Place] = field(default_factory=dict)
    held_up: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.line = self.world.line()
        self.schedule = Schedule(self.world, self.now)
        self.needs = {ticket.id: need_of(ticket, self.world) for ticket in self.line}
        self.stored = {slot.ticket: slot for slot in self.world.slots if slot.ticket in self.needs}

    def keep(self) -> dict[str, BreakCause]:
        """Book every stored slot that still stands; return the others with what became of them.

        Slots that are already late come last: theirs is the promise that is broken anyway, so they yield.
        """
        displaced = {}
        for slot in sorted(self._stored_in_line(), key=self._late):
            place = self._as_of_now(slot)
            if self._stands(slot, place):
                self._take(slot.ticket, place)
            elif self._may_wait(slot, place):
                self._take(slot.ticket, place)
                self.held_up.add(slot.ticket)
            else:
                displaced[slot.ticket] = self._cause(slot, place)
        return displaced

    def place_anew(self, displaced: dict[str, BreakCause]) -> None:
        """Give displaced tickets the earliest place, before anybody gains anything."""
        for ticket in self.line:
            if ticket.id in displaced:
                self._move_before(ticket.id, FOREVER)

    def improve(self) -> bool:
        """Let each ticket in line look for an earlier place once; whether any found one."""
        moved = [ticket.id for ticket in self.line if self._move_before(ticket.id, self._bound(ticket.id))]
        return bool(moved)

    def finish(self, displaced: dict[str, BreakCause]) -> Plan:
        """Read the decision off the places."""
        grants, slots, broken, promises = [], [], [], {}
        for ticket in self.line:
            place = self.places.get(ticket.id)
            cause = self._broken_by(ticket, place, displaced)
            if cause and ticket.starts_by:
                broken.append(BrokenPromise(ticket.id, ticket.starts_by, place.start if place else None, cause))
            if place is None:
                continue
            if place.start == self.now and ticket.id not in self.held_up:
                grants.append(Grant(ticket.id, place.devices, place.start, place.end))
                continue
            slots.append(self._slot(ticket.id, place))
            if ticket.starts_by is None:
                promises[ticket.id] = place.start
        return Plan(tuple(grants), tuple(slots), tuple(broken), promises)

    def _stored_in_line(self) -> list[Slot]:
        return [self.stored[ticket.id] for ticket in self.line if ticket.id in self.stored]

    def _late(self, slot: Slot) -> bool:
        return self.now > slot.start + self.schedule.margin

    def _as_of_now(self, slot: Slot) -> Place:
        """Where a slot would be if its ticket started as planned, or now if that time has come."""
        start = max(slot.start, self.now)
        return Place(slot.devices, start, start + self.needs[slot.ticket].duration)

    def _stands(self, slot: Slot, place: Place) -> bool:
        need = self.needs[slot.ticket]
        return self.schedule.usable(need, slot.devices) and self.schedule.stands(need, place)

    def _may_wait(self, slot: Slot, place: Place) -> bool:
        """Whether a slot whose time has come waits within the turnover margin for an overrunning lease to go."""
        if slot.start > self.now or self._late(slot) or not self.schedule.usable(self.needs[slot.ticket], slot.devices):
            return False
        return self.schedule.stands(self.needs[slot.ticket], place, without=self.schedule.overrunning)

    def _slot(self, ticket: str, place: Place) -> Slot:
        if ticket in self.held_up:
            return self.stored[ticket]
        return Slot(ticket, place.devices, place.start, place.end)

    def _cause(self, slot: Slot, place: Place) -> BreakCause:
        need = self.needs[slot.ticket]
        if not self.schedule.usable(need, slot.devices):
            return BreakCause.DEVICE_UNAVAILABLE
        if self._late(slot):
            return self._why_late(slot)
        held = self.schedule.stands(need, place, without=self.schedule.overrunning)
        return BreakCause.OVERRUN if held else BreakCause.ADMIN_CHANGE

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
            self.schedule.release(need, old)
        found = self.schedule.earliest(need, bound)
        if found:
            self.held_up.discard(ticket)
            self._take(ticket, found)
        elif old:
            self.schedule.book(need, old)
        return found is not None

    def _broken_by(self, ticket: Ticket, place: Place | None, displaced: dict[str, BreakCause]) -> BreakCause | None:
        """What broke the ticket's promise in this very plan; None where it stands or was reported before."""
        slot = self.stored.get(ticket.id)
        if ticket.starts_by is None or slot is None:
            return None
        latest = ticket.starts_by + self.schedule.margin
        if slot.start > latest or (place and place.start <= latest):
            return None
        return displaced.get(ticket.id) or self._why_late(slot)
