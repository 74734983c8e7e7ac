"""What do the settings cost that weigh one aim against another?

The skewed traces of simulate.py, three seeds: six projects with their own devices, of which every other asks four times
as much. `ours` is the median over the seeds, `baseline` EASY's where EASY knows the question; nothing here has an aim.

Taking back: how long an owner waits and how much notice borrowers get, against how alike projects are served, how long
owners wait, and how often a run is taken back. Places for who is promised none: after how long the first of a project
gets one, against everybody's mean wait and how long the unlucky ones of the largest size wait.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from random import Random

from labpool.domain.catalogue import QueueRules
from labpool.domain.simulation.estimating import Estimating
from labpool.domain.simulation.generate import Workload, generate, skewed
from labpool.domain.simulation.made_up import DEVICES, NOMINAL, WEIGHTS, devices, rules
from labpool.domain.simulation.measures import Measures, measure, weights_of
from labpool.domain.simulation.policies import PolicyName, policy
from labpool.domain.simulation.replay import replay
from simulate import CROWDED

SEEDS = range(1, 4)
TICKETS = 600
LARGEST = 8
LESS = tuple(NOMINAL)[1::2]
"""Projects of which the others ask four times as much for their own devices."""
NEVER = 10_000
TAKEN_AFTER = ((0, 1), (2, 5), (5, 10), (15, 30), (60, 60), (NEVER, 10))
"""Minutes that an owner waits, and of notice."""
PLACED_AFTER = (1, 4, 12, 24)
"""Hours."""


@cache
def played(load: float, seed: int, name: PolicyName = PolicyName.LABPOOL, queue: QueueRules | None = None) -> Measures:
    """Play one trace; by EASY it is the same whatever `queue` says."""
    projects = skewed(WEIGHTS, 4)
    arrivals = generate(Workload(TICKETS, DEVICES, load, projects=projects), Random(seed))
    catalogue = rules(NOMINAL, queue)
    outcome = replay(arrivals, devices(), catalogue, policy(name), estimating=Estimating(most=0))
    print(f"load {load}, seed {seed}, {name.value}: played", file=sys.stderr, flush=True)
    return measure(outcome, weights_of(catalogue))


def tell(name: str, unit: str, ours: Iterable[float | None], baseline: Iterable[float | None] = ()) -> None:
    """Print one line, of one value a seed."""
    values, others = [each or 0.0 for each in ours], [each or 0.0 for each in baseline]
    line = {"name": name, "unit": unit, "ours": round(statistics.median(values), 4), "n": len(values)}
    line["spread"] = [round(min(values), 4), round(max(values), 4)]
    if others:
        line["baseline"] = round(statistics.median(others), 4)
        line["ratio"] = round(statistics.median(one / other for one, other in zip(values, others, strict=True)), 4)
    print(json.dumps(line), flush=True)


def taking_back(load: float = 0.95) -> None:
    """Vary how soon owners get back what others borrowed."""
    easy = [played(load, seed, PolicyName.EASY) for seed in SEEDS]
    for wait, notice in TAKEN_AFTER:
        queue = QueueRules(wait_before_taking=timedelta(minutes=wait), grace=timedelta(minutes=notice))
        ours = [played(load, seed, queue=queue) for seed in SEEDS]
        when = "never" if wait == NEVER else f"after {wait} min, {notice} min of notice"
        at = f"taken back {when}, load {load:.2f}"
        for index in ("fairness_of_shares", "fairness_while_waiting", "fairness_by_moment"):
            words = index.replace("_", " ")
            tell(f"{words}, {at}", "1", [getattr(m, index) for m in ours], [getattr(m, index) for m in easy])
        tell(f"mean wait, {at}", "s", [m.waits.mean_s for m in ours], [m.waits.mean_s for m in easy])
        owners, theirs = ([_of_less(m) for m in played] for played in (ours, easy))
        tell(f"mean wait of who asks for less, {at}", "s", owners, theirs)
        tell(f"requeues, {at}", "requests", [m.requeues for m in ours])


def _of_less(measures: Measures) -> float:
    """How long projects that ask for less than their share wait, each counting alike."""
    return statistics.fmean(measures.waits_by_project[project].mean_s for project in LESS)


def placed(load: float) -> None:
    """Vary after how long who is promised nothing gets a place all the same."""
    easy = [played(load, seed, PolicyName.EASY) for seed in SEEDS]
    for hours in PLACED_AFTER:
        queue = QueueRules(unpromised=timedelta(hours=hours))
        ours = [played(load, seed, queue=queue) for seed in SEEDS]
        at = f"a place after {hours} h, load {load:.2f}"
        tell(f"mean wait, {at}", "s", [m.waits.mean_s for m in ours], [m.waits.mean_s for m in easy])
        largest = [[m.waits_by_gpus[LARGEST].p95_s for m in played] for played in (ours, easy)]
        tell(f"wait for {LARGEST} GPUs, p95, {at}", "s", *largest)


def main() -> None:
    """Draw both curves' points."""
    taking_back()
    for load in CROWDED:
        placed(load)


if __name__ == "__main__":
    main()
