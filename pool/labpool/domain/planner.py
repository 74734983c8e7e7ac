"""Who starts now, and when everybody else will, around promises that stand.

A ticket that fits inside its project's own devices holds a place in the schedule, and its first one is a promise. A
decision begins with the places given before and only ever looks for earlier ones; building the schedule anew each time
would look right and break promises. Who gains first from what frees early is another question than who was promised
what: everybody in line takes part in that, also those who would borrow.
"""

from __future__ import annotations

from datetime import datetime

from labpool.domain.decision import Decision
from labpool.domain.outlook import Outlook
from labpool.domain.plans import Plan
from labpool.domain.world import World


def plan(world: World, now: datetime, first: str = "") -> Plan:
    """Decide for every ticket in line: start now, or the place it holds, or neither.

    Stored slots stand unless one cannot, and then a promise may break (`labpool.domain.keeping`). What is free goes, as
    far as that delays no place, to the higher class, then to the project with the least use for its weight, in it to
    the ticket with the least work (devices times wall time), and of equal ones to the first in line.

    `now` is aware; the pool is expected to plan within the turnover margin of each slot's start. The ticket `first` may
    start before all others: it comes in place of one that gave its own place up for it.
    """
    return Planner().plan(world, now, first)


class Planner:
    """Plans one pool again and again, and keeps its schedule in between: then a decision costs what has changed.

    What it keeps is only a copy. Each time it is compared with the world that it is shown, and built anew where that
    tells another story: other rules or devices, a decision that was not carried out, lost time.
    """

    def __init__(self) -> None:
        self._outlook: Outlook | None = None

    def plan(self, world: World, now: datetime, first: str = "") -> Plan:
        """The same as the function `plan`, faster from the second time on."""
        outlook, self._outlook = self._outlook, None  # one that failed half-way is not used again
        if outlook is None or not outlook.follow(world, now):
            outlook = Outlook(world, now)
        decided = Decision(outlook).decide(first)
        self._outlook = outlook
        return decided
