"""What an admin does to somebody's ticket."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.service.admin import AdminDesk
from tests.service.lab import Lab
from tests.service.test_nodes import page

NewUser = Callable[[], str]


@pytest.fixture
def desk(lab: Lab) -> AdminDesk:
    return AdminDesk(lab)


def waiting(lab: Lab, user: str, profile: str = "gpu-1", hours: float = 1) -> str:
    ticket = lab.pool.ask(user, profile, hours=hours).json()["ticket"]
    assert lab.pool.ticket(ticket).state == "queued"
    return str(ticket)


def one_gpu_for_an_hour_and_two_who_wait_for_all(lab: Lab, new_user: NewUser) -> list[str]:
    lab.pool.ask(new_user(), "gpu-1", hours=1)
    return [waiting(lab, new_user(), "gpu-4", hours=1) for _ in range(2)]


def test_grant_ahead_of_others_is_asked_first_and_breaks_just_what_was_confirmed(
    lab: Lab, desk: AdminDesk, new_user: NewUser
):
    first, second = one_gpu_for_an_hour_and_two_who_wait_for_all(lab, new_user)
    late = waiting(lab, new_user(), hours=8)
    asked = desk.call("POST", f"/tickets/{late}/grant", {"why": "A deadline"})
    assert (asked.status_code, asked.json()["detail"]) == (409, "2 promises would break.")
    assert lab.pool.ticket(late).state == "queued"
    granted = desk.call("POST", f"/tickets/{late}/grant", {"why": "A deadline", "confirm": asked.json()["confirm"]})
    assert (granted.status_code, granted.json()["state"]) == (200, "granted")
    assert desk.said("granted_first") == ["test-admin: A deadline; accepted although 2 promises would break"]
    for ticket in (first, second):
        told = lab.pool.ticket(ticket).notice
        assert told is not None
        assert told.kind == "promise_broken"
        assert "let somebody else start first" in told.message
    assert [entry for entry in lab.pool.trail(late) if "granted" in entry] == ["granted", "granted_first"]


def test_grant_that_breaks_nothing_needs_no_confirmation(lab: Lab, desk: AdminDesk, new_user: NewUser):
    one_gpu_for_an_hour_and_two_who_wait_for_all(lab, new_user)
    short = lab.pool.ask(new_user(), hours=0.5).json()["ticket"]
    assert lab.pool.ticket(short).state == "granted"
    again = desk.call("POST", f"/tickets/{short}/grant", {"why": "A deadline"})
    assert (again.status_code, again.json()["reason"]) == (409, "not_now")


def test_what_could_not_start_alone_is_refused_with_the_reason(lab: Lab, desk: AdminDesk, new_user: NewUser):
    lab.pool.ask(new_user(), "gpu-4")
    refused = desk.call("POST", f"/tickets/{waiting(lab, new_user())}/grant", {"why": "A deadline"})
    assert (refused.status_code, refused.json()["reason"]) == (409, "not_grantable")
    assert "in use" in refused.json()["detail"]


def test_limit_of_a_user_holds_for_a_grant_ahead_of_others_too(lab: Lab, desk: AdminDesk, new_user: NewUser):
    user = new_user()
    one_gpu_for_an_hour_and_two_who_wait_for_all(lab, new_user)
    lab.pool.ask(user, name="a", hours=0.5)
    mine = lab.pool.ask(user, "gpu-4", name="b").json()["ticket"]
    refused = desk.call("POST", f"/tickets/{mine}/grant", {"why": "A deadline"})
    assert (refused.status_code, refused.json()["reason"]) == (409, "not_grantable")


def test_owner_of_a_server_that_an_admin_ends_is_told_why(lab: Lab, desk: AdminDesk, new_user: NewUser):
    user = new_user()
    running = lab.running(user)
    ended = desk.call("POST", f"/tickets/{running.id}/end", {"why": "It mines coins"})
    assert ended.status_code == 200
    lab.until(running, "ended", "ended_by_admin")
    assert "An admin ended this: It mines coins" in page(lab, user, f"tickets/{running.id}")
    assert desk.said("why_ended") == ["test-admin: It mines coins"]


def test_what_an_admin_takes_out_of_the_queue_says_so(lab: Lab, desk: AdminDesk, new_user: NewUser):
    lab.pool.ask(new_user(), "gpu-4")
    ticket = waiting(lab, new_user())
    assert desk.call("POST", f"/tickets/{ticket}/leave").json()["end_reason"] == "ended_by_admin"
