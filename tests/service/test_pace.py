"""When the pool looks round next: never late for what it knows to be due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from labpool.domain.catalogue import QueueRules
from labpool.domain.leases import Lease
from labpool.domain.tickets import Event, State
from labpool.service.pace import SOON, seconds_to_next

from tests.domain.lab import HOUR, MINUTE, NINE, at, lease, ticket

RULES = QueueRules()
READY = replace(lease("a", "n1-0"), ready_at=NINE)


def wait(held: Lease, now: datetime, state: State = State.RUNNING) -> float:
    """Seconds to the next look with one lease, where a look is made every hour at the latest."""
    granted = ticket("a").after(Event.GRANT, NINE)
    return seconds_to_next([(replace(granted, state=state), held)], None, RULES, now, HOUR.total_seconds())


@pytest.mark.parametrize(
    ("held", "state", "due"),
    [
        pytest.param(READY, State.GRANTED, NINE + RULES.claim, id="claim window"),
        pytest.param(replace(READY, absent_since=NINE), State.RUNNING, NINE + RULES.restart, id="crashed server"),
        pytest.param(READY, State.RUNNING, at(2) - RULES.notices[0], id="first notice"),
        pytest.param(replace(READY, ends=at(0.6)), State.RUNNING, at(0.6) - RULES.end_grace, id="end of the hours"),
    ],
)
def test_next_look_is_when_something_is_due(held: Lease, state: State, due: datetime):
    before = due - MINUTE
    assert wait(held, before, state) == pytest.approx(60)
    assert wait(held, before + timedelta(seconds=59), state) == pytest.approx(1)


def test_next_look_is_soon_while_a_server_starts_or_stops():
    assert wait(replace(READY, ready_at=None), NINE, State.GRANTED) == SOON
    assert wait(replace(READY, stopping_since=NINE), NINE) == SOON


def test_nothing_due_waits_for_the_interval():
    assert seconds_to_next([], None, RULES, NINE, 10) == 10
    assert seconds_to_next([], NINE + MINUTE, RULES, NINE, 600) == pytest.approx(60)
