"""A machine out of service, as the people who use it and wait for it see it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from labpool.api_models import NodeTroubleView
from labpool.domain.inventory import Condition

from tests.real_hub import wait_until
from tests.service.lab import Lab

pytestmark = pytest.mark.once
NewUser = Callable[[], str]
Turn = Callable[..., None]


def page(lab: Lab, user: str, path: str) -> str:
    """One of the pool's pages as the user's program reads it, its white space in single blanks."""
    token = lab.hub.token_for(user, ["access:services!service=pool", "custom:labpool:read"])
    answer = httpx.get(f"{lab.pool.url}/{path}", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def out_of_service(lab: Lab) -> tuple[NodeTroubleView, ...]:
    return lab.pool.call(lab.pool.parts.viewer.pool()).out_of_service


def test_on_a_drained_machine_servers_run_on_and_nobody_else_starts(lab: Lab, new_user: NewUser, turn: Turn):
    first, second = new_user(), new_user()
    running = lab.running(first)
    turn(Condition.DRAINED)
    shown = [(node.node, node.condition, node.devices) for node in out_of_service(lab)]
    assert shown == [("demo", "drained", 2), ("other", "drained", 2)]
    assert lab.start(second).status_code == 503
    waiting = lab.ticket_of(second).wait
    assert waiting is not None
    assert "out of service" in waiting.message
    now = lab.pool.ticket(running.id)
    assert (now.state, now.server_ready) == ("running", True)
    assert now.lease is not None
    assert now.lease.machine in page(lab, first, f"tickets/{running.id}")
    listed = page(lab, second, "")
    assert "Out of service:" in listed
    assert "other (2 GPUs, since" in listed
    assert now.lease.machine in listed
    turn(Condition.SERVING)
    assert out_of_service(lab) == ()
    lab.until_ready(second)


def test_server_on_a_failed_machine_is_in_line_again_and_starts_when_it_is_back(
    lab: Lab, new_user: NewUser, turn: Turn
):
    user = new_user()
    running = lab.running(user, hours=4)
    lab.pool.pass_time(timedelta(hours=1))
    turn(Condition.FAILED)
    lab.until(running, "queued")
    lost = lab.pool.ticket(running.id)
    assert lost.attempt == 2
    assert lost.hours == pytest.approx(3, abs=0.05)
    assert lost.notice is not None
    assert lost.notice.kind == "lost"
    assert lost.notice.message in page(lab, user, f"tickets/{running.id}")
    assert lab.pool.trail(running.id)[-2:] == ["lost", "requeued"]
    turn(Condition.SERVING)
    assert lab.until_ready(user).id == running.id


def test_server_on_a_failed_machine_starts_on_another_one(lab: Lab, new_user: NewUser, turn: Turn):
    user = new_user()
    running = lab.running(user, hours=4)
    assert running.lease is not None
    (device,) = running.lease.devices
    node = next(each.node for each in lab.pool.parts.desk.inventory.devices if each.id == device)
    turn(Condition.FAILED, node)
    wait_until(lambda: lab.pool.ticket(running.id).attempt == 2, "the next attempt")
    again = lab.until_ready(user)
    assert (again.id, again.attempt) == (running.id, 2)
    assert again.lease is not None
    assert again.lease.devices != running.lease.devices
    assert lab.pool.ticket(running.id).state == "granted"


def test_server_that_was_never_used_loses_nothing_with_its_machine(lab: Lab, new_user: NewUser, turn: Turn):
    user = new_user()
    lab.start(user, hours=2)
    granted = lab.until_ready(user)
    turn(Condition.FAILED)
    lab.until(granted, "queued")
    again = lab.pool.ticket(granted.id)
    assert (again.hours, again.needs_ready, again.place) == (2, False, 1)


def test_server_on_a_silent_machine_is_kept_for_the_restart_time(
    lab: Lab, new_user: NewUser, turn: Turn, silence: Callable[[], None]
):
    user = new_user()
    running = lab.running(user, hours=4)
    silence()
    wait_until(lambda: lab.pool.absent(running.id), "absence noted")
    refused = lab.pool.ask(user, hours=4)
    assert (refused.status_code, refused.json()["reason"]) == (409, "server_is_lost")
    lab.pool.engine.__dict__.pop("processes")
    turn(Condition.SERVING)
    wait_until(lambda: not lab.pool.absent(running.id), "presence noted")
    assert lab.pool.ticket(running.id).attempt == 1
    silence()
    lab.pool.pass_time(timedelta(minutes=5, seconds=1))
    lab.until(running, "queued")
    assert lab.pool.ticket(running.id).attempt == 2
