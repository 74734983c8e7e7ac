"""Which borrowed leases an owner gets back, and when.

Unused devices of a project are lent. A project's youngest leases above its own devices are the borrowed ones, worked
out anew each time; one inside them is never taken back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from labpool.domain.catalogue import QueueRules
from labpool.domain.leases import Lease
from labpool.domain.tickets import State, Ticket
from labpool.domain.usage import HOUR
from labpool.domain.world import World


class Cost(NamedTuple):
    """What taking some leases back costs, the least first: the highest class among them, then the hours lost."""

    highest_class: int
    gpu_hours: float
    leases: int


@dataclass(frozen=True, slots=True)
class Victims:
    """Leases to take back from a node, and what that costs."""

    node: str
    leases: tuple[Lease, ...]
    cost: Cost


def borrowed(world: World, leases: Iterable[Lease], flavour: str, now: datetime) -> list[Lease]:
    """Leases of `flavour` above what is their projects' own at `now`: of each project the youngest ones."""
    by_project: defaultdict[str, list[Lease]] = defaultdict(list)
    for lease in leases:
        if lease.flavour == flavour:
            by_project[lease.project].append(lease)
    owned = {project: world.own(project, flavour, now) for project in by_project}
    return [lease for project, leases in by_project.items() for lease in youngest_above(leases, owned[project])]


def youngest_above(leases: Iterable[Lease], devices: int) -> list[Lease]:
    """The youngest of a project's leases of a flavour, as far as all together hold more than so many devices."""
    above, held = [], 0
    for lease in sorted(leases, key=lambda lease: (lease.starts, lease.ticket)):
        held += len(lease.devices)
        if held > devices:
            above.append(lease)
    return above


def may_be_taken(lease: Lease, ticket: Ticket | None, rules: QueueRules, now: datetime) -> bool:
    """Whether a borrowed lease is one that may go: in use for long enough, and not ending by itself in time."""
    in_use = ticket is not None and ticket.state is State.RUNNING and lease.stopping_since is None
    return in_use and now >= lease.starts + rules.borrow_min and lease.ends > now + rules.grace


def cheapest(node: str, leases: Sequence[tuple[Lease, int]], missing: int, now: datetime) -> Victims | None:
    """The set of leases on a node, each with its class's rank, that frees `missing` devices at the least cost.

    A lower class goes first, whatever it costs: the highest class in the set is as low as can be. None where all
    together are not enough.
    """
    for highest in sorted({rank for _, rank in leases}, reverse=True):
        allowed = [lease for lease, rank in leases if rank >= highest]
        chosen = _fewest_hours(allowed, missing, now)
        if chosen is not None:
            hours = sum(_hours_lost(lease, now) for lease in chosen)
            return Victims(node, chosen, Cost(-highest, hours, len(chosen)))
    return None


def _fewest_hours(leases: Iterable[Lease], missing: int, now: datetime) -> tuple[Lease, ...] | None:
    """Cover `missing` devices at the fewest GPU-hours lost: a knapsack turned round, by dynamic programming."""
    best: dict[int, tuple[float, int, tuple[Lease, ...]]] = {0: (0.0, 0, ())}
    for lease in leases:
        lost = _hours_lost(lease, now)
        for covered, (hours, count, chosen) in list(best.items()):
            more = min(covered + len(lease.devices), missing)
            known = best.get(more)
            if known is None or (hours + lost, count + 1) < known[:2]:
                best[more] = (hours + lost, count + 1, (*chosen, lease))
    return best[missing][2] if missing in best else None


def _hours_lost(lease: Lease, now: datetime) -> float:
    return len(lease.devices) * ((now - lease.starts) / HOUR)
