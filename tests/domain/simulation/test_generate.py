from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from labpool.domain.simulation.generate import DAY_S, ROUND_HOURS, Demand, Workload, generate, skewed
from labpool.domain.simulation.trace import Arrival

MANY = Workload(tickets=4000)


def made(workload: Workload = MANY, seed: int = 7) -> tuple[Arrival, ...]:
    return generate(workload, Random(seed))


def test_same_seed_gives_the_same_trace_and_another_another():
    few = replace(MANY, tickets=50)
    assert made(few) == made(few)
    assert made(few) != made(few, seed=8)


def test_sizes_come_in_their_shares():
    counts = Counter(arrival.gpus for arrival in made())
    assert {gpus: count / 4000 for gpus, count in counts.items()} == pytest.approx(
        {1: 0.60, 2: 0.20, 4: 0.15, 8: 0.05}, abs=0.03
    )


def test_runs_are_log_normal_around_one_hour_and_end_within_a_day():
    runs = [arrival.run_s for arrival in made()]
    assert statistics.median(runs) == pytest.approx(3600, rel=0.08)
    assert statistics.stdev(math.log(run) for run in runs) == pytest.approx(1.3, rel=0.05)
    assert max(runs) == DAY_S


def test_hours_asked_are_mostly_round_and_always_enough():
    trace = made()
    assert all(arrival.run_s <= arrival.wall_s <= DAY_S for arrival in trace)
    assert 0.7 < statistics.mean(arrival.wall_s / 3600 in ROUND_HOURS for arrival in trace) < 0.85
    assert len({arrival.wall_s for arrival in trace}) > len(ROUND_HOURS)


@pytest.mark.parametrize("load", [0.85, 1.1])
def test_work_makes_up_the_load(load: float):
    trace = made(replace(MANY, load=load))
    work = sum(arrival.gpus * arrival.run_s for arrival in trace)
    assert work / (trace[-1].submit_s * MANY.devices) == pytest.approx(load, rel=0.01)


def test_another_load_only_moves_the_same_requests():
    busy, quiet = made(replace(MANY, load=1.1)), made(replace(MANY, load=0.55))
    assert [a.submit_s for a in quiet] == pytest.approx([2 * a.submit_s for a in busy], abs=0.2)
    assert [replace(a, submit_s=0) for a in quiet] == [replace(a, submit_s=0) for a in busy]


def test_gaps_between_requests_are_those_of_a_poisson_process():
    trace = made()
    gaps = [later.submit_s - earlier.submit_s for earlier, later in pairwise(trace)]
    assert min(gaps) >= 0
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.08)


def test_days_have_busy_afternoons_and_quiet_nights():
    def at_day_over_at_night(trace: tuple[Arrival, ...]) -> float:
        quarters = Counter(int(arrival.submit_s % DAY_S // (DAY_S / 4)) for arrival in trace)
        return quarters[2] / quarters[0]

    assert at_day_over_at_night(made(replace(MANY, diurnal=True))) > 3
    assert at_day_over_at_night(made()) == pytest.approx(1, abs=0.3)


def test_heavy_users_ask_for_most():
    def share_of_the_first(trace: tuple[Arrival, ...]) -> float:
        return Counter(arrival.user for arrival in trace)["lab-user1"] / len(trace)

    assert share_of_the_first(made()) == pytest.approx(1 / 20, abs=0.02)
    harmonic = sum(1 / n for n in range(1, 21))
    assert share_of_the_first(made(replace(MANY, heavy_users=True))) == pytest.approx(1 / harmonic, abs=0.03)


def test_demand_is_skewed_between_projects_of_the_same_weight():
    projects = skewed({"a": 1, "b": 1, "c": 4, "d": 4}, 4)
    assert projects == (Demand("a", 4), Demand("b", 1), Demand("c", 16), Demand("d", 4))
    counts = Counter(arrival.project for arrival in made(replace(MANY, projects=projects)))
    assert counts["c"] / counts["d"] == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize("wrong", [{"tickets": 0}, {"load": 0.0}, {"users": 0}, {"projects": ()}, {"sizes": ()}])
def test_impossible_workload_is_the_callers_mistake(wrong: dict[str, int]):
    with pytest.raises(ValueError, match=r"expected|needs"):
        Workload(**wrong)  # type: ignore[arg-type]
