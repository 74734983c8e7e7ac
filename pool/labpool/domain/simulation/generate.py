"""Traces made up from what is known of batch and notebook workloads.

Run lengths are log-normal and requested times are round numbers far above them, as the logs of real systems show
(Mu'alem and Feitelson, "Utilization, predictability, workloads, and user runtime estimates in scheduling the IBM SP2
with backfilling", IEEE TPDS 12(6), 2001; Lublin and Feitelson, "The workload on parallel supercomputers", JPDC 63(11),
2003, also for the cycle of the day).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

from labpool.domain.simulation.trace import Arrival

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
MEDIAN_RUN_S = HOUR_S
SIGMA = 1.3
LONGEST_S = DAY_S
SHORTEST_WALL_S = 900.0
ROUND_HOURS = (1, 2, 4, 8, 12, 24)
ROUND_SHARE = 0.7
SIZES = ((1, 0.60), (2, 0.20), (4, 0.15), (8, 0.05))
_DAY_SWING = 0.8
_BUSIEST_S = 15 * HOUR_S


@dataclass(frozen=True, slots=True)
class Demand:
    """A project and how much of all requests come from it, relative to the other projects."""

    project: str
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Workload:
    """What a trace is to be like.

    `load` is the work asked for (GPU-seconds really used) over what `devices` can do between the first and the last
    request. `sizes` are pairs of GPUs and share. `users` is their number in each project; with `heavy_users` the n-th
    of them asks 1/n times as often as the first, else all alike. `diurnal`: nine times as many requests at three in
    the afternoon as at three at night.
    """

    tickets: int = 2500
    devices: int = 64
    load: float = 0.95
    flavour: str = "gpu"
    projects: tuple[Demand, ...] = (Demand("lab"),)
    users: int = 20
    sizes: tuple[tuple[int, float], ...] = SIZES
    heavy_users: bool = False
    diurnal: bool = False

    def __post_init__(self) -> None:
        if min(self.tickets, self.devices, self.users) < 1 or self.load <= 0:
            raise ValueError("tickets, devices, users: expected 1 or more of each; load: expected more than 0")
        if not self.projects or not self.sizes:
            raise ValueError("a workload needs at least one project and one size")


def generate(workload: Workload, chance: Random) -> tuple[Arrival, ...]:
    """Make up a trace. The same workload and seed give the same one; another load only moves its requests in time.

    The work is drawn first and spread over the time in which it makes up the load exactly. Given their number, the
    requests of a Poisson process are uniform over that time, so they are drawn so (and by rejection where the rate
    follows the day).
    """
    drawn = [_one(workload, chance) for _ in range(workload.tickets)]
    work = sum(arrival.gpus * arrival.run_s for arrival in drawn)
    span = work / (workload.load * workload.devices)
    submits = sorted(_submit(span, workload.diurnal, chance) for _ in drawn)
    first = submits[0]
    return tuple(
        replace(arrival, submit_s=round(submit - first, 1)) for submit, arrival in zip(submits, drawn, strict=True)
    )


def skewed(weights: dict[str, float], skew: float) -> tuple[Demand, ...]:
    """Projects whose demand for their weight differs: every other one asks `skew` times as much for it."""
    return tuple(Demand(name, weight * (skew if i % 2 == 0 else 1)) for i, (name, weight) in enumerate(weights.items()))


def _one(workload: Workload, chance: Random) -> Arrival:
    gpus = chance.choices([size for size, _ in workload.sizes], [share for _, share in workload.sizes])[0]
    run = round(min(chance.lognormvariate(math.log(MEDIAN_RUN_S), SIGMA), LONGEST_S), 1)
    wall = _wall(run, chance)
    project = chance.choices(workload.projects, [demand.share for demand in workload.projects])[0].project
    users = range(1, workload.users + 1)
    user = chance.choices(users, [1 / n if workload.heavy_users else 1.0 for n in users])[0]
    return Arrival(0.0, f"{project}-user{user}", project, gpus, workload.flavour, wall, run)


def _wall(run: float, chance: Random) -> float:
    """Time asked for: mostly a round number of hours that is enough, else up to three times the run, in quarters."""
    if chance.random() < ROUND_SHARE:
        return chance.choice([hours * HOUR_S for hours in ROUND_HOURS if hours * HOUR_S >= run])
    wanted = math.ceil(run * chance.uniform(1, 3) / SHORTEST_WALL_S) * SHORTEST_WALL_S
    return min(wanted, LONGEST_S)


def _submit(span: float, diurnal: bool, chance: Random) -> float:
    while True:
        at = chance.uniform(0, span)
        rate = 1 + _DAY_SWING * math.cos(2 * math.pi * (at - _BUSIEST_S) / DAY_S)
        if not diurnal or chance.uniform(0, 1 + _DAY_SWING) <= rate:
            return at
