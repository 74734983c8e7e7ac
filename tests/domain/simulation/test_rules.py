"""What a project may use and what it lends hold whoever decides: played traces stay within both."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from labpool.domain.budgets import Account, Budget, Per, costs, hours
from labpool.domain.catalogue import Catalogue
from labpool.domain.simulation.outcome import Outcome
from labpool.domain.simulation.policies import PolicyName, policy
from labpool.domain.simulation.replay import BEGINNING
from labpool.domain.simulation.trace import Arrival

from tests.domain.lab import catalogue
from tests.domain.simulation.traces import HOUR, arrival, played, traces

DEVICES = 6
DAILY = Budget(11, Per.DAY)
POLICIES = [name.value for name in PolicyName]


def rules(budget: Budget | None = None, lend: int | None = None) -> Catalogue:
    """Three devices for each of two projects; vision has the budget, and lends so many of its own."""
    known = catalogue({"vision": (3, 3), "speech": (3, 3)}, gpus=9)
    lends = {} if lend is None else {"gpu": lend}
    vision = replace(known.projects["vision"], budget=budget, lend=lends)
    return replace(known, projects={**known.projects, "vision": vision})


def used(outcome: Outcome) -> Counter[Account]:
    """What the runs of the project with the budget came to in each period."""
    total: Counter[Account] = Counter()
    for run in outcome.runs:
        if run.arrival.project == "vision":
            times = (_moment(run.start_s), _moment(run.end_s))
            total.update(dict(costs("vision", DAILY, rules().rate("gpu", len(run.devices)), *times)))
    return total


def _moment(second: float) -> datetime:
    return BEGINNING + second * (BEGINNING.resolution * 1_000_000)


def most_of_others(outcome: Outcome) -> int:
    """The most devices that speech held at once."""
    others = [run for run in outcome.runs if run.arrival.project == "speech"]
    held = (sum(len(run.devices) for run in others if run.start_s <= moment.start_s < run.end_s) for moment in others)
    return max(held, default=0)


@pytest.mark.parametrize("name", POLICIES)
@given(trace=traces)
def test_no_policy_lets_a_project_use_more_than_its_budget(name: str, trace: tuple[Arrival, ...]):
    outcome = played(policy(PolicyName(name)), *trace, rules=rules(DAILY))
    assert all(hours(units) <= 11 for units in used(outcome).values())


@pytest.mark.parametrize("name", POLICIES)
@given(trace=traces)
def test_no_policy_gives_others_what_a_project_keeps(name: str, trace: tuple[Arrival, ...]):
    outcome = played(policy(PolicyName(name)), *trace, rules=rules(lend=1))
    assert most_of_others(outcome) <= DEVICES - 2


@pytest.mark.parametrize("name", POLICIES)
def test_run_that_the_budget_has_no_hours_for_starts_when_the_next_day_brings_them(name: str):
    trace = (
        arrival(12, gpus=3, wall=3, run=3, user="ada"),
        arrival(13, gpus=1, wall=4, user="lin"),
        arrival(13, gpus=1, wall=4, user="bert", project="speech"),
    )
    outcome = played(policy(PolicyName(name)), *trace, rules=rules(DAILY))
    starts = {run.arrival.user: run.start_s / HOUR for run in outcome.runs}
    assert (starts["ada"], starts["bert"]) == (12, 13)
    assert 22 <= starts["lin"] <= 24  # two hours of eleven are left, so two of the four lie in the next day
    [free] = [run for run in played(policy(PolicyName(name)), *trace, rules=rules()).runs if run.arrival.user == "lin"]
    assert free.start_s == 13 * HOUR


@pytest.mark.parametrize("name", POLICIES)
def test_request_for_what_others_keep_waits_for_its_own_projects_devices(name: str):
    trace = (
        arrival(0, gpus=4, wall=2, user="lin", project="speech"),
        arrival(1, gpus=1, wall=1, user="bert", project="speech"),
    )
    starts = [run.start_s / HOUR for run in played(policy(PolicyName(name)), *trace, rules=rules(lend=1)).runs]
    assert starts == [0, pytest.approx(2 + 1 / 60, abs=1 / 30)]
    assert [run.start_s / HOUR for run in played(policy(PolicyName(name)), *trace, rules=rules()).runs][1] == 1
