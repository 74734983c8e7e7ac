"""Rules that an admin changes while the pool runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from labpool.service.file_keeper import FileKeeper

from tests.real_hub import wait_until
from tests.service.admin import AdminDesk
from tests.service.lab import Lab
from tests.service.running_pool import POOL_YAML

NewUser = Callable[[], str]
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOMINAL = {"rule": "nominal", "name": "vision", "flavour": "demo-gpu"}
BUDGET = {"rule": "budget", "name": "vision"}


@pytest.fixture
def desk(lab: Lab) -> Iterator[AdminDesk]:
    desk = AdminDesk(lab)
    yield desk
    for each in desk.call("GET", "/overrides").json():
        assert desk.call("DELETE", f"/overrides/{each['id']}?broken=99").status_code == 204
    (lab.pool.folder / "pool.yaml").write_text(POOL_YAML)
    desk.call("POST", "/reload")


def override(desk: AdminDesk, **asked: object) -> httpx.Response:
    return desk.call("POST", "/overrides", {"why": "A deadline"} | asked)


def overridden(desk: AdminDesk, **asked: object) -> str:
    answer = override(desk, **asked)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def state(lab: Lab, user: str, profile: str = "gpu-1", name: str = "") -> str:
    return lab.pool.ticket(lab.pool.ask(user, profile, name=name).json()["ticket"]).state


def test_personal_limit_holds_until_its_end_and_the_files_again_after_it(lab: Lab, desk: AdminDesk, new_user: NewUser):
    user = new_user()
    until = (lab.pool.clock() + HOUR).isoformat()
    made = overridden(desk, rule="user_gpus", name=user, value=1, until=until)
    assert lab.pool.ask(user, "gpu-4").json()["reason"] == "over_user_limit"
    assert state(lab, new_user(), "gpu-1") == "granted"
    (listed,) = desk.call("GET", "/overrides").json()
    assert (listed["id"], listed["value"], listed["file_value"], listed["made_by"]) == (made, 1, 4, "test-admin")
    lab.pool.pass_time(HOUR + MINUTE)
    wait_until(lambda: desk.call("GET", "/overrides").json() == [], "the end")
    assert desk.said("override_over")[-1] == f"pool: {made}: user_gpus of {user}"
    assert lab.pool.ask(user, "gpu-4").status_code in {200, 202}


def test_lower_share_ends_nothing_and_keeps_others_from_starting(lab: Lab, desk: AdminDesk, new_user: NewUser):
    first = lab.pool.ask(new_user(), "gpu-1").json()["ticket"]
    for rule in ("nominal", "borrow"):
        overridden(desk, **NOMINAL | {"rule": rule}, value=rule == "nominal")
    waits = lab.pool.ask(new_user()).json()["ticket"]
    wait = lab.pool.ticket(waits).wait
    assert wait is not None
    assert wait.reason == "project_limit"
    assert lab.pool.ticket(first).state == "granted"
    overridden(desk, **NOMINAL, value=4)
    assert lab.pool.ticket(waits).state == "granted"
    values = [(each["rule"], each["value"], each["file_value"]) for each in desk.call("GET", "/overrides").json()]
    assert values == [("borrow", 0, 4), ("nominal", 4, 4)]
    assert desk.said("overridden")[-1].endswith("nominal demo-gpu of vision is 4: A deadline")


def test_admin_is_asked_before_promises_break_by_a_change_and_by_its_end(lab: Lab, desk: AdminDesk, new_user: NewUser):
    lab.pool.ask(new_user(), "gpu-4")
    lab.pool.ask(new_user(), "gpu-4")
    asked = override(desk, **NOMINAL, value=1)
    assert asked.status_code == 201  # it may still borrow
    lowered = override(desk, **NOMINAL | {"rule": "borrow"}, value=0)
    assert (lowered.status_code, lowered.json()["detail"]) == (409, "1 promise would break.")
    overridden(desk, **NOMINAL | {"rule": "borrow"}, value=0, confirm={"broken": 1})
    assert desk.said("overridden")[-1].endswith("accepted although 1 promise would break")


def test_what_a_raised_limit_allowed_is_asked_about_before_it_ends(lab: Lab, desk: AdminDesk, new_user: NewUser):
    user = new_user()
    lab.pool.ask(new_user(), "gpu-4")
    (lab.pool.folder / "pool.yaml").write_text(POOL_YAML.replace("gpus: 4, servers", "gpus: 1, servers"))
    assert desk.call("POST", "/reload").json()["valid"]
    made = overridden(desk, rule="user_gpus", name=user, value=4)
    assert lab.pool.ticket(lab.pool.ask(user, "gpu-4").json()["ticket"]).starts_by is not None
    asked = desk.call("DELETE", f"/overrides/{made}")
    assert (asked.status_code, asked.json()["remedy"]) == (409, "Send it again with ?broken=1 to accept that.")
    assert desk.call("DELETE", f"/overrides/{made}?broken=1").status_code == 204
    assert desk.call("DELETE", f"/overrides/{made}").json()["reason"] == "no_such_override"


def test_budget_is_raised_for_a_while(lab: Lab, desk: AdminDesk, new_user: NewUser):
    assert override(desk, **BUDGET, value=10).json()["reason"] == "no_such_rule"
    text = POOL_YAML.replace(
        "    profiles: [cpu, gpu-1, gpu-4]", "    budget: {gpu_hours: 1, per: year}\n    profiles: [cpu, gpu-1, gpu-4]"
    )
    (lab.pool.folder / "pool.yaml").write_text(text)
    desk.call("POST", "/reload")
    assert lab.pool.ask(new_user(), "gpu-4").json()["reason"] == "over_budget"
    overridden(desk, **BUDGET, value=100.5)
    assert state(lab, new_user(), "gpu-4") == "granted"
    assert desk.call("GET", "/pool").json()["budgets"][0]["gpu_hours"] == 100.5


def test_broken_file_is_told_by_reload_and_changes_nothing(lab: Lab, desk: AdminDesk):
    good = desk.call("POST", "/reload").json()
    (lab.pool.folder / "pool.yaml").write_text(POOL_YAML.replace("title: Vision group", "titel: Vision group"))
    broken = desk.call("POST", "/reload").json()
    in_force = f"test-admin: pool.yaml, sha256 {good['sha256']}"
    assert desk.said("reloaded")[-2:] == [in_force, f"{in_force}; the file is broken now and was not taken"]
    assert (good["valid"], broken["valid"], broken["sha256"]) == (True, False, good["sha256"])
    assert "titel" in broken["errors"]


def test_trail_tells_which_file_is_in_force_whoever_changed_it(lab: Lab, desk: AdminDesk):
    keeper = FileKeeper(lab.pool.parts.desk)
    lab.pool.call(keeper.note_changed())
    before = len(desk.said("rules_in_force"))
    for gpus in (3, 3, 2, 2):
        (lab.pool.folder / "pool.yaml").write_text(POOL_YAML.replace("gpus: 4, servers", f"gpus: {gpus}, servers"))
        lab.pool.call(lab.pool.parts.reconciler.look())
        lab.pool.call(keeper.note_changed())
    first, second = desk.said("rules_in_force")[before:]
    digest = desk.call("POST", "/reload").json()["sha256"]
    assert second == f"file: pool.yaml, sha256 {digest}" != first


def test_overrides_outlive_the_pool(lab: Lab, desk: AdminDesk, new_user: NewUser):
    user = new_user()
    overridden(desk, rule="user_gpus", name=user, value=1)
    lab.pool.stop()
    lab.pool.start()
    assert lab.pool.ask(user, "gpu-4").json()["reason"] == "over_user_limit"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (BUDGET | {"name": "nobody", "value": 1}, "no_such_rule"),
        (NOMINAL | {"flavour": "tpu", "value": 1}, "no_such_rule"),
        (NOMINAL | {"flavour": "", "value": 1}, "invalid_request"),
        (BUDGET | {"flavour": "demo-gpu", "value": 1}, "invalid_request"),
        (NOMINAL | {"value": 1.5}, "invalid_request"),
        (NOMINAL | {"value": -1}, "invalid_request"),
        ({"rule": "weight", "name": "vision", "value": 0}, "invalid_request"),
        ({"rule": "servers", "name": "ada", "value": 1}, "invalid_request"),
        (NOMINAL | {"value": 1, "until": "2020-01-01T00:00:00Z"}, "not_a_time"),
    ],
)
def test_what_can_not_be_changed_is_refused(desk: AdminDesk, asked: dict[str, object], reason: str):
    answer = override(desk, **asked)
    assert (answer.status_code, answer.json()["reason"]) == (422, reason)
