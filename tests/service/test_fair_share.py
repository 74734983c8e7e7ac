"""Use as the pool counts it from its leases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from labpool.domain.usage import Usage
from labpool.service.fair_share import FairShare
from labpool.store import EndedRun

from tests.domain.lab import at, catalogue

RULES = catalogue({"vision": (2, 2), "speech": (2, 2)})
RUNS = [EndedRun("vision", "gpu", 2, at(0), at(3)), EndedRun("speech", "gpu", 1, at(1), at(4))]


def test_runs_are_counted_once_however_often_one_looks():
    share = FairShare()
    first = share.usage(RUNS[:1], RULES)
    assert share.usage(RUNS[:1], RULES) == first
    assert share.usage(RUNS, RULES) == FairShare().usage(RUNS, RULES)


def test_run_of_a_transaction_that_was_undone_counts_no_more():
    share = FairShare()
    share.usage([RUNS[0], replace(RUNS[1], devices=4)], RULES)
    assert share.usage(RUNS, RULES) == FairShare().usage(RUNS, RULES)


def test_another_half_life_counts_all_anew():
    share = FairShare()
    share.usage(RUNS, RULES)
    shorter = replace(RULES, queue=replace(RULES.queue, half_life=timedelta(hours=1)))
    assert share.usage(RUNS, shorter) == FairShare().usage(RUNS, shorter)


def test_use_is_booked_at_the_charge_that_a_run_began_with():
    dear = replace(RUNS[0], charge=3.0)
    assert FairShare().usage([dear], RULES).of("vision", at(3)) == Usage().after("vision", 6, at(0), at(3)).of(
        "vision", at(3)
    )
