"""How does the pool's own planner do against first come, first served and EASY backfilling?

One pool of 64 devices, made-up traces of sizes 1, 2, 4 and 8, log-normal runs and hours as people ask for them, at
loads of 0.85, 0.95 and 1.10. The three policies play each trace in turn. Waits and use are medians over five seeds,
broken promises those of the worst seed. Fairness is measured on traces of six projects whose demand for their weight
differs 4 : 1. What an aim compares with stands under `baseline`: FIFO or EASY, as the name says; `ratio` is the median
of the seeds' ratios, and `spread` their smallest and largest.

How near an estimate of a start can come at all is told by one that knows every run's length beforehand and plays the
queue forward in the same way; what it still gets wrong is due to those who ask later and go first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

from labpool.domain.run_lengths import RunLengths
from labpool.domain.simulation.estimating import Estimating
from labpool.domain.simulation.generate import Demand, Workload, generate, skewed
from labpool.domain.simulation.made_up import DEVICES, NOMINAL, WEIGHTS, devices, rules
from labpool.domain.simulation.measures import Measures, measure, weights_of
from labpool.domain.simulation.policies import PolicyName, policy
from labpool.domain.simulation.replay import replay
from labpool.domain.simulation.trace import Arrival

SEEDS = range(1, 6)
LOADS = (0.85, 0.95, 1.10)
CROWDED = (0.95, 1.10)
FIFO, EASY, OURS = PolicyName.FIFO, PolicyName.EASY, PolicyName.LABPOOL

Played = dict[PolicyName, Measures]


class KnownLengths(RunLengths):
    """Tells how long each run will really last, where no user has more than one."""

    def __init__(self, arrivals: Sequence[Arrival]) -> None:
        super().__init__()
        self._known = {arrival.user: timedelta(seconds=arrival.run_s) for arrival in arrivals}

    def quantile(
        self, part_of_runs: float, user: str, profile: str, asked: timedelta, used: timedelta = timedelta(0)
    ) -> timedelta:
        """The same for every part."""
        return min(self._known[user], asked)


def knowing(workload: Workload, seed: int, nominal: dict[str, int]) -> Measures:
    """Play the same trace through the pool's planner, its starts estimated by who knows all lengths."""
    arrivals = [replace(each, user=f"u{i}") for i, each in enumerate(generate(workload, Random(seed)))]
    catalogue, estimating = rules(nominal), Estimating(lengths=lambda: KnownLengths(arrivals))
    outcome = replay(arrivals, devices(), catalogue, policy(OURS), estimating=estimating)
    return measure(outcome, weights_of(catalogue))


def play(workload: Workload, seed: int, nominal: dict[str, int], policies: Sequence[PolicyName]) -> Played:
    """Play one trace through each of the policies."""
    arrivals = generate(workload, Random(seed))
    catalogue = rules(nominal)
    played = {
        name: measure(replay(arrivals, devices(), catalogue, policy(name)), weights_of(catalogue)) for name in policies
    }
    print(f"load {workload.load}, seed {seed}: played", file=sys.stderr, flush=True)
    return played


def tell(name: str, unit: str, pairs: list[tuple[float, float]], ratio_aim: tuple[str, float] | None = None) -> None:
    """Print one line for pairs of our value and the baseline's, one pair a seed; the aim is for the median ratio."""
    ours, baseline = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratios = [one / other for one, other in pairs]
    ratio = statistics.median(ratios)
    line = {"name": name, "unit": unit, "ours": round(ours, 4), "baseline": round(baseline, 4)}
    line |= {"ratio": round(ratio, 4), "n": len(pairs), "spread": _spread(ratios)}
    if ratio_aim:
        sign, bound = ratio_aim
        line |= {"aim": f"ratio {sign} {bound}", "met": ratio <= bound if sign == "<=" else ratio >= bound}
    print(json.dumps(line), flush=True)


def tell_absolute(name: str, unit: str, ours: float, aim: str, met: bool, spread: list[float]) -> None:
    """Print one line for a value whose aim needs no baseline."""
    line = {"name": name, "unit": unit, "ours": round(ours, 4), "baseline": None, "ratio": None, "aim": aim, "met": met}
    print(json.dumps(line | {"n": len(spread), "spread": _spread(spread)}), flush=True)


def _spread(values: list[float]) -> list[float]:
    return [round(min(values), 4), round(max(values), 4)]


def compare(load: float, played: list[Played], known: list[Measures]) -> None:
    """Answer for waits, slowdown, use, estimates and promises at one load."""
    at, aimed = f"load {load:.2f}", load in CROWDED
    mean = [{name: each.waits.mean_s for name, each in one.items()} for one in played]
    tell(f"mean wait against FIFO, {at}", "s", [(m[OURS], m[FIFO]) for m in mean], ("<=", 0.65) if aimed else None)
    tell(f"mean wait against EASY, {at}", "s", [(m[OURS], m[EASY]) for m in mean], ("<=", 0.85) if aimed else None)
    slow = [(one[OURS].bounded_slowdown, one[EASY].bounded_slowdown) for one in played]
    tell(f"bounded slowdown against EASY, {at}", "1", slow)
    use = [(one[OURS].utilisation or 0.0, one[EASY].utilisation or 0.0) for one in played]
    tell(f"devices in use against EASY, {at}", "1", use, (">=", 0.99) if aimed else None)
    pairs = [(one[OURS].likely_error_s or 0.0, one[OURS].naive_error_s or 1.0) for one in played]
    tell(f"error of the first likely start against that of recent waits, {at}", "s", pairs, ("<=", 0.6))
    pairs = [(one.likely_error_s or 0.0, one.naive_error_s or 1.0) for one in known]
    tell(f"error of a likely start that knows every run's length against that of recent waits, {at}", "s", pairs)
    broken = [float(sum(one[OURS].broken.values())) for one in played]
    tell_absolute(f"broken promises, worst seed, {at}", "promises", max(broken), "none", not any(broken), broken)


def compare_fairness(load: float, played: list[Played]) -> None:
    """Answer for fairness at one load."""
    indices = {
        "fairness of shares": [(one[OURS].fairness_of_shares, one[EASY].fairness_of_shares) for one in played],
        "fairness while waiting": [
            (one[OURS].fairness_while_waiting, one[EASY].fairness_while_waiting) for one in played
        ],
        "fairness by moment": [(one[OURS].fairness_by_moment, one[EASY].fairness_by_moment) for one in played],
    }
    at = f"skewed demand, load {load:.2f}"
    for name, found in indices.items():
        both = [(ours or 0.0, easy or 0.0) for ours, easy in found]
        ours = [one for one, _ in both]
        median = statistics.median(ours)
        tell(f"{name} against EASY, {at}", "1", both, (">=", 1.0))
        tell_absolute(f"{name}, {at}", "1", median, "> 0.9", median > 0.9, ours)
    requeues = [float(one[OURS].requeues) for one in played]
    tell_absolute(f"requeues, {at}", "requests", statistics.median(requeues), "none set", True, requeues)
    broken = [float(sum(one[OURS].broken.values())) for one in played]
    tell_absolute(f"broken promises, worst seed, {at}", "promises", max(broken), "none", not any(broken), broken)
    wait = [(one[OURS].waits.mean_s, one[EASY].waits.mean_s) for one in played]
    tell(f"mean wait against EASY, {at}", "s", wait)


def main() -> None:
    """Play 600 requests a trace or, with --full, 2,500."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long form")
    tickets = 2500 if parser.parse_args().full else 600
    for load in LOADS:
        workload = Workload(tickets, DEVICES, load, projects=(Demand("lab"),))
        own = {"lab": DEVICES}
        known = [knowing(workload, seed, own) for seed in SEEDS]
        compare(load, [play(workload, seed, own, (FIFO, EASY, OURS)) for seed in SEEDS], known)
    for load in CROWDED:
        workload = Workload(tickets, DEVICES, load, projects=skewed(WEIGHTS, 4))
        compare_fairness(load, [play(workload, seed, NOMINAL, (EASY, OURS)) for seed in SEEDS])


if __name__ == "__main__":
    main()
