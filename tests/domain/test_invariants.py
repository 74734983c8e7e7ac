"""The invariants over random histories: nobody knows what a lab will do to its pool."""

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from labpool.domain.planner import Planner

from tests.domain.history import ALL_TROUBLE, PEACEFUL, History, Step, histories

pytestmark = pytest.mark.once

STEPS = 50
SLOW_ONES_TOO = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
PEACE, IN_TROUBLE = 600, 1400
"""So many histories; anything that can go wrong happens only in the second, so most are of these."""
NORMAL = settings(
    deadline=None,
    derandomize="CI" in os.environ,
    phases=set(Phase) - {Phase.explain},
    suppress_health_check=SLOW_ONES_TOO,
)
DELAYS = st.sampled_from([(0, 0), (5, 0), (60, 0), (0, 60), (25, 35)])
"""Seconds by which the pool looks late, and by which a lease is settled late: together within the turnover margin."""


def history_of(delays: tuple[int, int]) -> History:
    lateness, linger = (timedelta(seconds=delay) for delay in delays)
    return History(Planner().plan, lateness, linger, started=lambda: Planner().plan)


@settings(NORMAL, max_examples=PEACE)
@given(histories(PEACEFUL, STEPS), DELAYS)
def test_without_trouble_every_promise_is_kept(steps: list[Step], delays: tuple[int, int]):
    history = history_of(delays)
    history.run(steps)
    assert not history.broken


@settings(NORMAL, max_examples=IN_TROUBLE)
@given(histories(PEACEFUL * 2 + ALL_TROUBLE, STEPS), DELAYS)
def test_in_trouble_no_rule_is_broken_and_no_promise_in_silence(steps: list[Step], delays: tuple[int, int]):
    history_of(delays).run(steps)


@pytest.mark.soak
@settings(NORMAL, max_examples=10_000)
@given(histories(PEACEFUL * 2 + ALL_TROUBLE, 3 * STEPS), DELAYS)
def test_in_long_trouble_no_rule_is_broken_and_no_promise_in_silence(steps: list[Step], delays: tuple[int, int]):
    history_of(delays).run(steps)
