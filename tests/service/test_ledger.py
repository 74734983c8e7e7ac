"""The ledger of GPU-hours says what the planner's budgets say, whatever happens, also after a restart."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from labpool.domain.ledger import UNITS
from labpool.service.changes import Changes
from labpool.service.desk import Desk
from labpool.store import Store
from labpool.store.models import LedgerRow
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.domain.lab import HOUR
from tests.service.desk_history import DeskHistory, Step, histories, planners_accounts


@pytest.fixture
def history(tmp_path: Path) -> Iterator[DeskHistory]:
    history = DeskHistory(tmp_path)
    yield history
    history.engine.dispose()


def booked(history: DeskHistory) -> list[tuple[str, float]]:
    with Session(history.engine) as session:
        return [(row.kind, row.amount / UNITS) for row in session.scalars(select(LedgerRow).order_by(LedgerRow.id))]


def play(history: DeskHistory, *steps: Step) -> None:
    asyncio.run(history.run(list(steps)))


ASK_TWO_FOR_FIVE_HOURS = ("ask", 1, 3)


def test_hold_is_booked_with_the_grant_and_settled_with_the_stop(history: DeskHistory):
    play(history, ASK_TWO_FOR_FIVE_HOURS)
    assert booked(history) == [("hold", 10)]
    history.now += HOUR
    play(history, ("use", 0, 0), ("stop", 0, 0))
    assert booked(history) == [("hold", 10), ("settlement", 2), ("refund", 8)]


def test_extension_holds_more(history: DeskHistory):
    play(history, ASK_TWO_FOR_FIVE_HOURS, ("use", 0, 0))
    history.now += HOUR
    play(history, ("extend", 0, 1))
    assert booked(history) == [("hold", 10), ("extension", 1)]


def test_time_after_a_machine_was_lost_is_given_back_also_where_nothing_is_started_again(history: DeskHistory):
    play(history, ASK_TWO_FOR_FIVE_HOURS, ("use", 0, 0))
    history.now += timedelta(hours=4, minutes=58)
    history.failed = {"n1": history.now - HOUR, "n2": history.now - HOUR}
    history._set()
    play(history, ("charge", 0, 0))
    assert booked(history)[:3] == [
        ("hold", 10),
        ("settlement", pytest.approx(2 * 238 / 60)),
        ("refund", pytest.approx(2 * 62 / 60)),
    ]


def test_what_comes_after_the_end_is_not_the_projects(history: DeskHistory):
    play(history, ASK_TWO_FOR_FIVE_HOURS, ("use", 0, 0))
    history.now += timedelta(hours=5, minutes=30)
    play(history, ("charge", 0, 0))
    assert booked(history) == [("hold", 10), ("settlement", 10), ("overrun", 1)]


def test_lease_keeps_the_charge_that_it_began_with(history: DeskHistory):
    play(history, ASK_TWO_FOR_FIVE_HOURS, ("use", 0, 0), ("charge", 3, 0))
    history.now += HOUR
    play(history, ("stop", 0, 0), ASK_TWO_FOR_FIVE_HOURS)
    assert booked(history) == [("hold", 10), ("settlement", 2), ("refund", 8), ("hold", 30)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(24))
def test_ledger_and_planner_agree_at_each_step_of_any_history(steps: list[Step]):
    with tempfile.TemporaryDirectory() as folder:
        history = DeskHistory(Path(folder))
        play(history, *steps)
        restarted = Desk(Store(history.engine), history.desk.setting, lambda: history.now, Changes())
        history.check(asyncio.run(restarted.view(lambda view: planners_accounts(restarted, view))))
        history.engine.dispose()
