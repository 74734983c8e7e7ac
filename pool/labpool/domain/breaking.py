"""Which promises an act of somebody would break."""

from __future__ import annotations

from datetime import datetime

from labpool.domain.planner import plan
from labpool.domain.plans import BrokenPromise
from labpool.domain.world import World


def newly_broken(before: World, after: World, now: datetime, first: str = "") -> tuple[BrokenPromise, ...]:
    """Promises that stand in the world `before` the act and break in the one `after` it.

    The ticket `first` may start before all others after the act.
    """
    anyway = {broken.ticket for broken in plan(before, now).broken}
    return tuple(broken for broken in plan(after, now, first).broken if broken.ticket not in anyway)
