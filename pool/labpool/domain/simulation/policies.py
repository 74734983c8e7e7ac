"""Who starts next: the planner of production, and two well-known ways to compare it with.

All of them see the same world, so nominal, borrowing, limits, nodes and turnover are the same for each. A ticket that
its own user's or project's limit keeps waiting holds up only those who asked later under the same limit; a baseline
that stood still for it would be easy to beat.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from labpool.domain.leases import Place
from labpool.domain.needs import Cap, Key, Need
from labpool.domain.planner import Planner
from labpool.domain.plans import Grant, Plan
from labpool.domain.schedule import Schedule
from labpool.domain.timeline import INSTANT
from labpool.domain.world import World

Policy = Callable[[World, datetime], Plan]


def fifo(world: World, now: datetime) -> Plan:
    """Strict first come, first served: nobody starts before one who asked earlier and waits for the same thing."""
    moment = _Moment(world, now)
    waited_for: set[Key] = set()
    for need in moment.line:
        if waited_for & moment.keys(need):
            continue
        place = moment.place_now(need)
        if place:
            moment.start(need, place)
        else:
            waited_for |= moment.lacking(need)
    return Plan(grants=tuple(moment.grants))


def easy(world: World, now: datetime) -> Plan:
    """EASY backfilling: only the first in line has a reservation, and whoever does not delay it may start.

    Lifka, "The ANL/IBM SP scheduling system", JSSPP 1995; Mu'alem and Feitelson, IEEE TPDS 12(6), 2001. The
    reservation is made anew at each decision and is bound to a time, not to devices. Each flavour has a line with a
    first one, and so has each limit that somebody waits for.
    """
    moment = _Moment(world, now)
    heads: dict[Key, _Head] = {}
    for need in moment.line:
        free = moment.place_now(need)
        if free:
            mine = moment.keys(need)
            place = _beside(moment, need, free, [head for head in heads.values() if head.keys & mine])
            if place:
                moment.start(need, place)
        else:
            heads = _new_heads(moment, need, heads.keys()) | heads
    return Plan(grants=tuple(moment.grants))


class PolicyName(str, Enum):
    """The policies by the names that people call them."""

    FIFO = "fifo"
    EASY = "easy"
    LABPOOL = "labpool"


def policy(name: PolicyName) -> Policy:
    """A policy for one replay; the pool's own planner remembers what it saw last."""
    match name:
        case PolicyName.FIFO:
            return fifo
        case PolicyName.EASY:
            return easy
        case PolicyName.LABPOOL:
            return Planner().plan


@dataclass(frozen=True, slots=True)
class _Head:
    """The first that waits for something, the earliest it can start, and what others may not use up before it."""

    need: Need
    start: datetime
    keys: frozenset[Key]


class _Moment:
    """One decision: the line, the leases and what has been started so far."""

    def __init__(self, world: World, now: datetime) -> None:
        self.schedule = Schedule(world, now)
        self.line = [self.schedule.needs.of(ticket) for ticket in world.line()]
        self.nodes = {flavour: self.schedule.nodes_of(flavour) for flavour in world.catalogue.flavours}
        self.grants: list[Grant] = []

    def place_now(self, need: Need, within: Collection[str] | None = None) -> Place | None:
        """A node on which `need` can start at once, if there are any."""
        return self.schedule.earliest(need, self.schedule.now + INSTANT, within)

    def start(self, need: Need, place: Place) -> None:
        """Grant `need` its place."""
        self.schedule.book(need, place)
        devices = tuple(self.schedule.unleased(need.flavour, place.node)[: need.gpus])
        self.schedule.stock.hand_out(devices)
        self.grants.append(Grant(need.ticket, devices, place.start, place.end))

    def keys(self, need: Need) -> set[Key]:
        """Everything of which `need` takes some."""
        return {_flavour_key(need), ("budget", need.project), *(cap.key for cap in need.caps)}

    def lacking(self, need: Need) -> set[Key]:
        """What keeps `need` from starting now: the limits that are used up, else devices."""
        now = self.schedule.now
        if self.schedule.payments.affordable_from(need, now) > now:
            return {("budget", need.project)}
        used_up = {
            cap.key
            for cap in need.caps
            if self._limits(cap, need) and not self.schedule.allows(cap, now, now + need.duration)
        }
        return used_up or {_flavour_key(need)}

    def _limits(self, cap: Cap, need: Need) -> bool:
        """Whether a cap can be used up before the devices are; a project's counts those of one flavour only."""
        flavours = [need.flavour] if cap.key[0] == "project" else list(self.nodes)
        return cap.most < sum(len(devices) for flavour in flavours for devices in self.nodes[flavour].values())


def _flavour_key(need: Need) -> Key:
    return ("flavour", need.flavour)


def _new_heads(moment: _Moment, need: Need, taken: Set[Key]) -> dict[Key, _Head]:
    """`need` as the first that waits for what keeps it from starting, except where somebody else is the first."""
    first_for = moment.lacking(need) - taken
    found = moment.schedule.earliest(need) if first_for else None
    if found is None:
        return {}
    caps = {cap.key for cap in need.caps}
    return {
        key: _Head(need, found.start, frozenset({key} | (caps if key == _flavour_key(need) else set())))
        for key in first_for
    }


def _beside(moment: _Moment, need: Need, free: Place, heads: Sequence[_Head]) -> Place | None:
    """The place `free`, or one at once on another node, that delays none of `heads`; None where each does."""
    if not _delays(moment.schedule, need, free, heads):
        return free
    for node in moment.nodes[need.flavour]:
        place = moment.place_now(need, within={node})
        if place and not _delays(moment.schedule, need, place, heads):
            return place
    return None


def _delays(schedule: Schedule, need: Need, place: Place, heads: Sequence[_Head]) -> bool:
    schedule.book(need, place)
    late = any(schedule.earliest(head.need, head.start + INSTANT) is None for head in heads)
    schedule.release(need.ticket)
    return late
