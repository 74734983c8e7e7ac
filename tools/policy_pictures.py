"""Pictures that compare the pool's planner with first come, first served and EASY backfilling."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping
from random import Random

from labpool.domain.simulation.estimating import Estimating
from labpool.domain.simulation.generate import Workload, generate, skewed
from labpool.domain.simulation.made_up import DEVICES, NOMINAL, WEIGHTS, devices, rules
from labpool.domain.simulation.measures import measure, weights_of
from labpool.domain.simulation.policies import PolicyName, policy
from labpool.domain.simulation.replay import replay
from svg import WIDTH, box, line, picture, text

MINUTE = 60.0
LEFT, TOP, HEIGHT = 14, 78, 190
WORDS = {PolicyName.FIFO: "first come, first served", PolicyName.EASY: "EASY", PolicyName.LABPOOL: "labpool"}
KINDS = {PolicyName.FIFO: "c", PolicyName.EASY: "b", PolicyName.LABPOOL: "a"}
ROW = re.compile(r"\| mean wait against (FIFO|EASY), load ([\d.]+) \| s \| ([\d.]+) \| ([\d.]+) ")
TICKETS, LOAD, SEEDS = 600, 0.95, range(1, 6)

Groups = Mapping[str, Mapping[PolicyName, float]]
"""Mean waits in seconds, by what is compared and by who decides."""


def waits_by_load(benchmarks: str) -> Groups:
    """Read the mean waits off docs/benchmarks.md."""
    found: dict[str, dict[PolicyName, float]] = {}
    for other, load, ours, theirs in ROW.findall(benchmarks):
        waits = found.setdefault(f"load {load}", {})
        waits[PolicyName(other.lower())] = float(theirs)
        waits[PolicyName.LABPOOL] = float(ours)
    return found


def waits_by_project() -> Groups:
    """Play five traces in which every other of six projects asks four times as much for its GPUs; the median waits."""
    played = {name: [_waits(seed, name) for seed in SEEDS] for name in PolicyName}
    return {
        f"{project}: {own}": {
            name: statistics.median(waits[project] for waits in seeds) for name, seeds in played.items()
        }
        for project, own in NOMINAL.items()
    }


def _waits(seed: int, decides: PolicyName) -> dict[str, float]:
    catalogue = rules(NOMINAL)
    trace = generate(Workload(TICKETS, DEVICES, LOAD, projects=skewed(WEIGHTS, 4)), Random(seed))  # noqa: S311 (no secret)
    played = replay(trace, devices(), catalogue, policy(decides), estimating=Estimating(most=0))
    measured = measure(played, weights_of(catalogue))
    return {project: waits.mean_s for project, waits in measured.waits_by_project.items()}


def chart(title: str, below: str, groups: Groups) -> str:
    """Columns in groups, one for each policy, with the minutes above them."""
    told = "; ".join(
        f"{group}: " + ", ".join(f"{WORDS[name]} {wait / MINUTE:.0f}" for name, wait in _in_order(waits))
        for group, waits in groups.items()
    )
    parts = [text(LEFT, 20, title), *_legend(), *_columns(groups)]
    parts.append(text(LEFT, TOP + HEIGHT + 44, below, "faint"))
    return picture(title, f"Mean waits in minutes. {told}.", TOP + HEIGHT + 58, parts)


def _in_order(waits: Mapping[PolicyName, float]) -> list[tuple[PolicyName, float]]:
    return [(name, waits[name]) for name in PolicyName]


def _legend() -> Iterator[str]:
    x = float(LEFT)
    for name in PolicyName:
        yield box(x, 34, 14, 14, KINDS[name])
        yield text(x + 20, 46, WORDS[name], "faint")
        x += 38 + 6.5 * len(WORDS[name])


def _columns(groups: Groups) -> Iterator[str]:
    most = max(wait for waits in groups.values() for wait in waits.values())
    wide = (WIDTH - 2 * LEFT) / len(groups)
    column = min((wide - 10) / len(PolicyName), 40)
    bottom = TOP + HEIGHT
    for number, (group, waits) in enumerate(groups.items()):
        middle = LEFT + (number + 0.5) * wide
        for place, (name, wait) in enumerate(_in_order(waits)):
            x, height = middle + (place - 1.5) * column, wait / most * HEIGHT
            yield box(x + 1, bottom - height, column - 2, height, KINDS[name])
            yield text(x + column / 2, bottom - height - 5, f"{wait / MINUTE:.0f}", "small mid")
        yield text(middle, bottom + 20, group, "mid")
    yield line(LEFT, bottom, WIDTH - LEFT, bottom, "axis")
