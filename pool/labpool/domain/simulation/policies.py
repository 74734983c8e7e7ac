"""Who starts next: the planner of production, and two well-known ways to compare it with.

All of them see the same world, so nominal, borrowing, limits, nodes and turnover are the same for each. A ticket that
its own user's or project's limit keeps waiting holds up nobody else in any of them; a baseline that stood still for it
would be easy to beat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from labpool.domain.planner import plan
from labpool.domain.plans import Grant, Plan
from labpool.domain.schedule import INSTANT, Need, Place, Schedule, need_of
from labpool.domain.world import World

Policy = Callable[[World, datetime], Plan]


def fifo(world: World, now: datetime) -> Plan:
    """Strict first come, first served: nobody starts before one who asked earlier and waits for the same flavour."""
    schedule = Schedule(world, now)
    waiting: set[str] = set()
    grants = []
    for ticket in world.line():
        if ticket.flavour in waiting:
            continue
        need = need_of(ticket, world)
        place = schedule.earliest(need, now + INSTANT)
        if place:
            grants.append(_start(schedule, need, place))
        elif _within_caps(schedule, need):
            waiting.add(ticket.flavour)
    return Plan(grants=tuple(grants))


@dataclass(frozen=True, slots=True)
class _Head:
    """The first of a flavour's line that has to wait, and the earliest it can start by the hours of the leases."""

    need: Need
    start: datetime


def easy(world: World, now: datetime) -> Plan:
    """EASY backfilling: only the first in line has a reservation, and whoever does not delay it may start.

    Lifka, "The ANL/IBM SP scheduling system", JSSPP 1995; Mu'alem and Feitelson, IEEE TPDS 12(6), 2001. The
    reservation is made anew at each decision and is bound to a time, not to devices.
    """
    schedule = Schedule(world, now)
    heads: dict[str, _Head] = {}
    grants = []
    for ticket in world.line():
        need = need_of(ticket, world)
        place = _start_beside(schedule, need, heads, world)
        if place:
            grants.append(_grant(need, place))
        elif ticket.flavour not in heads and _within_caps(schedule, need):
            found = schedule.earliest(need)
            if found:
                heads[ticket.flavour] = _Head(need, found.start)
    return Plan(grants=tuple(grants))


class PolicyName(str, Enum):
    """The policies by the names that people call them."""

    FIFO = "fifo"
    EASY = "easy"
    LABPOOL = "labpool"


POLICIES: Mapping[PolicyName, Policy] = {
    PolicyName.FIFO: fifo,
    PolicyName.EASY: easy,
    PolicyName.LABPOOL: plan,
}


def _start_beside(schedule: Schedule, need: Need, heads: Mapping[str, _Head], world: World) -> Place | None:
    """Book a start at once that delays none of `heads`, on whichever node allows it; None where none does."""
    best = schedule.earliest(need, schedule.now + INSTANT)
    if best is None:
        return None
    if _book_unless_delaying(schedule, need, best, heads):
        return best
    for devices in world.usable_devices(need.flavour).values():
        place = schedule.earliest(need, schedule.now + INSTANT, within=devices)
        if place and _book_unless_delaying(schedule, need, place, heads):
            return place
    return None


def _book_unless_delaying(schedule: Schedule, need: Need, place: Place, heads: Mapping[str, _Head]) -> bool:
    schedule.book(need, place)
    if all(_on_time(schedule, head) for head in heads.values()):
        return True
    schedule.release(need, place)
    return False


def _on_time(schedule: Schedule, head: _Head) -> bool:
    return schedule.earliest(head.need, head.start + INSTANT) is not None


def _within_caps(schedule: Schedule, need: Need) -> bool:
    whole = Place((), schedule.now, schedule.now + need.duration)
    return all(schedule.allows(cap, whole) for cap in need.caps)


def _start(schedule: Schedule, need: Need, place: Place) -> Grant:
    schedule.book(need, place)
    return _grant(need, place)


def _grant(need: Need, place: Place) -> Grant:
    return Grant(need.ticket, place.devices, place.start, place.end)
