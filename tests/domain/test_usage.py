"""Decayed use against adding it up in small steps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.usage import Usage

from tests.domain.lab import HOUR, at

DAY = timedelta(days=1)
HALF_LIFE = 2 * DAY
runs = st.tuples(st.sampled_from(("vision", "speech")), st.integers(1, 8), st.integers(0, 200), st.integers(0, 48))


def added_up(given_runs: list[tuple[str, int, int, int]], project: str, now: float) -> float:
    """Each tenth of an hour counts as it lies back at its middle."""
    middles = (
        (rate, start + (step + 0.5) / 10)
        for name, rate, start, hours in given_runs
        if name == project
        for step in range(10 * hours)
    )
    return sum(rate / 10 * 0.5 ** ((now - middle) * HOUR / HALF_LIFE) for rate, middle in middles)


@given(st.lists(runs, max_size=8), st.integers(0, 100))
def test_use_is_what_small_steps_add_up_to(given_runs: list[tuple[str, int, int, int]], later: int):
    usage = Usage(half_life=HALF_LIFE)
    for project, rate, start, hours in given_runs:
        usage = usage.after(project, rate, at(start), at(start + hours))
    now = max((start + hours for _, _, start, hours in given_runs), default=0) + later
    for project in ("vision", "speech"):
        assert usage.of(project, at(now)) == pytest.approx(added_up(given_runs, project, now), rel=1e-4)


def test_half_counts_after_a_half_life():
    usage = Usage(half_life=HALF_LIFE).after("vision", 4, at(0), at(1))
    assert usage.of("vision", at(1) + HALF_LIFE) == pytest.approx(usage.of("vision", at(1)) / 2)


def test_clock_that_goes_back_changes_nothing():
    usage = Usage(half_life=HALF_LIFE).after("vision", 4, at(0), at(1))
    assert usage.of("vision", at(0)) == usage.of("vision", at(1))
