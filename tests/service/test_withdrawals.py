"""Machines and GPUs that an admin takes out of service and puts back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from labpool.domain.inventory import Condition

from tests.real_hub import wait_until
from tests.service.admin import AdminDesk
from tests.service.lab import Lab
from tests.service.test_nodes import out_of_service, page

NewUser = Callable[[], str]
Turn = Callable[..., None]
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def desk(lab: Lab) -> Iterator[AdminDesk]:
    desk = AdminDesk(lab)
    yield desk
    for each in desk.call("GET", "/drains").json():
        if each["act"] == "drain":
            desk.undrain(each["id"])


def test_on_a_drained_machine_servers_run_on_and_who_waits_is_told_why(lab: Lab, desk: AdminDesk, new_user: NewUser):
    first, second = new_user(), new_user()
    running = lab.running(first)
    drain = desk.drained(node="demo")
    (shown,) = out_of_service(lab)
    assert (shown.node, shown.condition, shown.devices) == ("demo", "drained", 4)
    assert shown.reason.endswith("New fans")
    assert lab.start(second).status_code == 503
    assert "New fans" in page(lab, second, "")
    assert lab.pool.ticket(running.id).state == "running"
    assert desk.said("drained")[-1] == f"test-admin: {drain}: machine demo: New fans"
    desk.undrain(drain)
    assert out_of_service(lab) == ()
    assert desk.said("undrained")[-1] == f"test-admin: {drain}: machine demo"
    lab.until_ready(second)


def test_one_drained_gpu_is_not_given_out(lab: Lab, desk: AdminDesk, new_user: NewUser):
    device = lab.pool.parts.desk.inventory.devices[0].id
    desk.drained(device=device)
    assert desk.free() == 3
    (withheld,) = desk.call("GET", "/pool").json()["withheld"]
    assert (withheld["device"], withheld["reason"]) == (device, "An admin takes it out of service: New fans")
    assert [each["withheld"] != "" for each in desk.call("GET", "/devices").json()] == [True, False, False, False]
    assert lab.pool.ticket(lab.pool.ask(new_user(), "gpu-4").json()["ticket"]).state == "queued"


def test_admin_is_asked_first_how_many_promises_may_break(lab: Lab, desk: AdminDesk, new_user: NewUser):
    lab.pool.ask(new_user(), "gpu-4", hours=1)
    waits = lab.pool.ask(new_user(), "gpu-4").json()["ticket"]
    asked = desk.drain(node="demo")
    assert (asked.status_code, asked.json()["reason"]) == (409, "does_harm")
    assert asked.json()["detail"] == "1 promise would break."
    assert asked.json()["confirm"] == {"broken": 1, "missing": 0}
    assert desk.drain(node="demo", confirm={"broken": 0}).status_code == 409
    assert out_of_service(lab) == ()
    desk.drained(node="demo", confirm={"broken": 1})
    assert "promise_broken" in lab.pool.trail(waits)
    assert desk.said("drained")[-1].endswith("; accepted although 1 promise would break")


def test_drain_with_an_end_is_over_by_itself(lab: Lab, desk: AdminDesk, new_user: NewUser):
    drain = desk.drained(node="demo", until=(lab.pool.clock() + HOUR).isoformat())
    waits = lab.pool.ask(new_user()).json()["ticket"]
    assert lab.pool.ticket(waits).state == "queued"
    (shown,) = out_of_service(lab)
    assert shown.until is not None
    assert MINUTE < shown.until - lab.pool.clock() <= HOUR
    assert ", until " in page(lab, new_user(), "")
    lab.pool.pass_time(HOUR + MINUTE)
    wait_until(lambda: lab.pool.ticket(waits).state == "granted", "the grant")
    assert desk.call("GET", "/drains").json() == []
    assert desk.said("drain_over")[-1] == f"pool: {drain}: machine demo"


def test_what_is_drained_stays_so_over_a_restart(lab: Lab, desk: AdminDesk):
    drain = desk.drained(node="demo")
    lab.pool.stop()
    lab.pool.start()
    assert [each["id"] for each in desk.call("GET", "/drains").json()] == [drain]
    assert [node.node for node in out_of_service(lab)] == ["demo"]


def test_leases_of_a_fenced_machine_are_settled_and_it_serves_again_once_it_answers(
    lab: Lab, desk: AdminDesk, new_user: NewUser, turn: Turn, silence: Callable[[], None]
):
    user = new_user()
    running = lab.running(user, hours=4)
    assert desk.call("POST", "/fences", {"node": "demo", "why": "Off"}).json()["reason"] == "not_silent"
    silence()
    wait_until(lambda: lab.pool.absent(running.id), "absence noted")
    for node in ("demo", "other"):
        assert desk.call("POST", "/fences", {"node": node, "why": "Switched off"}).status_code == 201
    lab.until(running, "queued")
    assert [each.condition for each in out_of_service(lab)] == ["failed", "failed"]
    assert out_of_service(lab)[0].reason.endswith("Switched off")
    again = desk.call("POST", "/fences", {"node": "demo", "why": "Switched off"})
    assert (again.status_code, again.json()["reason"]) == (409, "withdrawn_already")
    lab.pool.engine.__dict__.pop("processes")
    turn(Condition.SERVING)
    assert desk.call("GET", "/drains").json() == []
    assert len(desk.said("fence_over")) == 2
    assert lab.until_ready(user).id == running.id


@pytest.mark.parametrize(
    ("asked", "status", "reason"),
    [
        ({"node": "moon"}, 422, "no_such_node"),
        ({"device": "GPU-0"}, 422, "no_such_device"),
        ({}, 422, "invalid_request"),
        ({"node": "demo", "device": "GPU-0"}, 422, "invalid_request"),
        ({"node": "demo", "why": ""}, 422, "invalid_request"),
        ({"node": "demo", "until": "2026-01-01T00:00:00Z"}, 422, "not_a_time"),
        ({"node": "demo", "until": "2046-01-01T00:00:00"}, 422, "invalid_request"),
    ],
)
def test_what_can_not_be_drained_is_refused(desk: AdminDesk, asked: dict[str, object], status: int, reason: str):
    answer = desk.drain(**asked)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert answer.json()["remedy"].endswith(".")


def test_what_is_drained_can_not_be_drained_twice_nor_put_back_twice(lab: Lab, desk: AdminDesk):
    drain = desk.drained(node="demo")
    device = lab.pool.parts.desk.inventory.devices[0].id
    for asked in ({"node": "demo"}, {"device": device}):
        assert desk.drain(**asked).json()["reason"] == "withdrawn_already"
    desk.undrain(drain)
    assert desk.call("DELETE", f"/drains/{drain}").json()["reason"] == "no_such_drain"
