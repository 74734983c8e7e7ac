"""A project's budget in the running pool: who waits for it starts by itself, and all are told how it stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count

import pytest
from labpool.api_models import BudgetView, FormView, TicketView

from tests.real_hub import wait_until
from tests.service.lab import Lab
from tests.service.running_pool import POOL_YAML
from tests.service.test_nodes import page

NewUser = Callable[[], str]
_number = count()


class Chess:
    """A project of which nobody has used anything, in the morning of a day."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.name = lab, f"chess-{next(_number)}"

    def has(self, budget: str) -> None:
        """Write the project's budget into pool.yaml, and let the pool see it."""
        section = "title: Chess club, members: {everyone: true}, nominal: {demo-gpu: 2}, profiles: [cpu, gpu-1]"
        (self.lab.pool.folder / "pool.yaml").write_text(
            POOL_YAML.replace("projects:\n", f"projects:\n  {self.name}: {{{section}{budget}}}\n")
        )
        self.lab.pool.call(self.lab.pool.parts.reconciler.look())

    def asks(self, user: str, hours: float) -> TicketView:
        """Somebody asks for one GPU, and waits."""
        assert self.lab.start(user, hours=hours, project=self.name).status_code == 503
        return self.lab.ticket_of(user)

    def runs(self, user: str, hours: float) -> TicketView:
        return self.lab.running(user, hours=hours, project=self.name)

    def stand(self) -> BudgetView:
        (found,) = self.lab.pool.call(self.lab.pool.parts.viewer.pool()).budgets
        return found


@pytest.fixture
def chess(lab: Lab) -> Iterator[Chess]:
    now = lab.pool.clock()
    lab.pool.pass_time(now.replace(hour=9, minute=0, second=0) + timedelta(days=1) - now)
    yield Chess(lab)
    (lab.pool.folder / "pool.yaml").write_text(POOL_YAML)
    lab.pool.call(lab.pool.parts.reconciler.look())


def test_ticket_waits_for_the_budget_and_starts_by_itself_when_the_next_period_begins(
    chess: Chess, lab: Lab, new_user: NewUser
):
    first, second = new_user(), new_user()
    chess.has(", budget: {gpu_hours: 2, per: day}")
    held = chess.runs(first, hours=2)
    waiting = chess.asks(second, hours=1)
    midnight = chess.stand().renewed
    assert (waiting.starts_by, waiting.planned_start) == (midnight, midnight)
    assert waiting.wait is not None
    assert waiting.wait.reason == "budget"
    assert "Chess club has 0 GPU-hours of this day left" in waiting.wait.message
    assert "You wait because Chess club has 0 GPU-hours" in page(lab, second, f"tickets/{waiting.id}")
    lab.pool.pass_time(timedelta(hours=2, minutes=1))
    lab.until(held, "ended", "time_limit")
    assert lab.pool.ticket(waiting.id).state == "queued"
    lab.pool.pass_time(midnight - lab.pool.clock())
    assert lab.until_ready(second).id == waiting.id
    assert lab.pool.ticket(waiting.id).lease is not None


def test_run_that_ends_early_gives_hours_back_and_somebody_starts(chess: Chess, lab: Lab, new_user: NewUser):
    first, second = new_user(), new_user()
    chess.has(", budget: {gpu_hours: 2, per: day}")
    chess.runs(first, hours=2)
    waiting = chess.asks(second, hours=1.5)
    lab.stop(first)
    assert lab.until_ready(second).id == waiting.id


def test_budget_stands_as_all_runs_say_also_after_a_restart_of_the_pool(chess: Chess, lab: Lab, new_user: NewUser):
    first, second = new_user(), new_user()
    chess.has(", budget: {gpu_hours: 10, per: week}")
    chess.runs(first, hours=2)
    lab.pool.pass_time(timedelta(hours=1))
    lab.stop(first)
    wait_until(lambda: chess.stand().set_aside == 0, "the end of the first server")
    used = chess.stand().used
    assert 1 < used < 1.5
    chess.runs(second, hours=4)
    found = chess.stand()
    assert (found.project, found.gpu_hours, found.per) == (chess.name, 10, "week")
    assert found.left == pytest.approx(6 - used)
    assert found.used + found.set_aside == pytest.approx(4 + used)
    lab.pool.stop()
    lab.pool.start()
    chess.has(", budget: {gpu_hours: 10, per: week}")  # the tests' pool starts with its usual file
    assert chess.stand().left == pytest.approx(6 - used)


def test_pool_page_and_form_tell_how_each_budget_stands(chess: Chess, lab: Lab, new_user: NewUser):
    user = new_user()
    chess.has(", budget: {gpu_hours: 10, per: month}")
    chess.runs(user, hours=4)
    assert "6 of 10 GPU-hours left this month" in page(lab, user, "")
    told = lab.pool.as_spawner("GET", f"/users/{user}/form").content
    form = FormView.model_validate_json(told)
    assert [(each.project, each.left) for each in form.pool.budgets] == [(chess.name, 6)]
    assert user not in json.dumps(json.loads(told)["pool"])
    chess.has("")
    assert "GPU-hours" not in page(lab, user, "")


def test_raised_budget_lets_start_who_waits_and_a_lowered_one_ends_nothing(chess: Chess, lab: Lab, new_user: NewUser):
    first, second = new_user(), new_user()
    chess.has(", budget: {gpu_hours: 3, per: day}")
    held = chess.runs(first, hours=2)
    waiting = chess.asks(second, hours=3)
    chess.has(", budget: {gpu_hours: 5, per: day}")
    assert lab.until_ready(second).id == waiting.id
    chess.has(", budget: {gpu_hours: 1, per: day}")
    assert chess.stand().left == 0
    assert lab.pool.ticket(held.id).state == "running"
    refused = lab.pool.as_spawner(
        "POST", "/spawns", {"user": new_user(), "project": chess.name, "profile": "gpu-1", "hours": 2}
    ).json()
    assert refused["reason"] == "over_budget"
    assert "Chess club has 1 in each day" in refused["detail"]
