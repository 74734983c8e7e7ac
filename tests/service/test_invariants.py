"""All invariants over histories of the whole service, on both databases, as its store tells them.

Each database gets 100 histories of 16 steps, the pool looking round after each and while time passes; that takes a
minute. It is emptied between two of them. `make soak` adds 1,000 that are twice as long.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from sqlalchemy import Engine

from tests.service.happenings import PEACEFUL, TROUBLE, Step, histories, play

pytestmark = pytest.mark.once

STEPS = 16
NORMAL = settings(
    max_examples=50,
    deadline=None,
    derandomize="CI" in os.environ,
    phases=set(Phase) - {Phase.explain},
    suppress_health_check=list(HealthCheck),
)


FOUND = [*10 * [("ask", 0, 0)], ("rush", 0, 0), ("stop", 0, 0), ("ask", 2, 1), ("stop", 0, 0), ("ask", 0, 1)]
"""Once the search found that who then wished not to start again lost the place in line."""
WITHOUT_HUB = [*6 * [("rush", 0, 0)], ("hub_down", 0, 0), *6 * [("cancel", 0, 0)]]
"""Once who left the line while the hub was away kept a place in the store."""


@NORMAL
@example(steps=[*FOUND, ("start_no_more", 1, 0)])
@given(steps=histories(PEACEFUL, STEPS))
def test_without_trouble_every_promise_is_kept(engine: Engine, steps: list[Step]):
    assert not play(engine, steps).told.broken


@NORMAL
@example(steps=WITHOUT_HUB)
@given(steps=histories(PEACEFUL * 2 + TROUBLE, STEPS))
def test_in_trouble_no_invariant_is_broken(engine: Engine, steps: list[Step]):
    play(engine, steps)


@pytest.mark.soak
@settings(NORMAL, max_examples=1000)
@given(steps=histories(PEACEFUL * 2 + TROUBLE, 2 * STEPS))
def test_in_long_trouble_no_invariant_is_broken(engine: Engine, steps: list[Step]):
    play(engine, steps)
