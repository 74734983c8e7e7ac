"""What runs that are over come to in the projects' budgets, as the pool counts it from its leases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from labpool.domain.budgets import Budget, Per, hours
from labpool.domain.catalogue import Catalogue
from labpool.service.spending import Spending
from labpool.store import EndedRun

from tests.domain.lab import at, catalogue

TODAY = datetime(2026, 3, 2, tzinfo=timezone.utc)
RUNS = [
    EndedRun("vision", "gpu", 2, at(0), at(3)),
    EndedRun("speech", "gpu", 1, at(1), at(4)),
    EndedRun("vision", "gpu", 1, at(14), at(17)),  # two of its hours lie in the next day
]


def limited(budget: Budget | None) -> Catalogue:
    rules = catalogue({"vision": (2, 2), "speech": (2, 2)})
    vision = replace(rules.projects["vision"], budget=budget)
    return replace(rules, projects={**rules.projects, "vision": vision})


DAILY = limited(Budget(10, Per.DAY))


def booked(spending: Spending, runs: list[EndedRun], rules: Catalogue = DAILY) -> dict[tuple[str, datetime], float]:
    return {account: hours(units) for account, units in spending.spent(runs, rules).of.items()}


def test_runs_count_in_their_projects_budget_and_in_the_period_in_which_they_lie():
    tomorrow = TODAY + timedelta(days=1)
    assert booked(Spending(), RUNS) == {("vision", TODAY): 7, ("vision", tomorrow): 2}


def test_run_counts_at_the_charge_that_it_began_with():
    assert booked(Spending(), [replace(RUNS[0], charge=2.5)]) == {("vision", TODAY): 15}


def test_runs_are_counted_once_however_often_one_looks():
    spending = Spending()
    first = spending.spent(RUNS[:1], DAILY)
    assert spending.spent(RUNS[:1], DAILY) is first
    assert booked(spending, RUNS) == booked(Spending(), RUNS)


def test_run_of_a_transaction_that_was_undone_counts_no_more():
    spending = Spending()
    booked(spending, [*RUNS[:2], replace(RUNS[2], devices=4)])
    assert booked(spending, RUNS) == booked(Spending(), RUNS)


@pytest.mark.parametrize(
    "changed",
    [
        limited(Budget(10, Per.WEEK)),
        limited(Budget(10, Per.DAY, ZoneInfo("Asia/Tokyo"))),
        limited(None),
    ],
    ids=["period", "time zone", "no budget any more"],
)
def test_other_rules_count_all_anew(changed: Catalogue):
    spending = Spending()
    before = booked(spending, RUNS)
    anew = booked(spending, RUNS, changed)
    assert anew == booked(Spending(), RUNS, changed) != before
    assert booked(spending, RUNS) == before
