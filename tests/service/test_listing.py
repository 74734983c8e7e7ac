"""Tickets that programs list and ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from labpool.service.rates import Rates

from tests.real_hub import wait_until
from tests.service.actors import Robotics, robotics_of
from tests.service.lab import Lab

NewUser = Callable[[], str]
SERVER = {"project": "robotics", "profile": "gpu-1", "hours": 1}


@pytest.fixture
def robotics(lab: Lab, new_user: NewUser) -> Iterator[Robotics]:
    with robotics_of(lab, new_user) as found:
        yield found


def listed(robotics: Robotics, actor: str, query: str = "") -> list[tuple[str, str | None]]:
    answer = robotics.call(actor, "GET", f"/api/v1/tickets{query}")
    assert answer.status_code == 200, answer.text
    return [(each["id"], each["user"]) for each in answer.json()["tickets"]]


def asked(robotics: Robotics, actor: str, key: str = "", **changed: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {robotics.token(actor)}"} | ({"Idempotency-Key": key} if key else {})
    url = f"{robotics.lab.pool.url}/api/v1/tickets"
    return httpx.post(url, json=SERVER | changed, headers=headers, timeout=30, trust_env=False)


def test_each_sees_own_tickets_and_those_of_the_own_projects(robotics: Robotics, lab: Lab, new_user: NewUser):
    holder, stranger = robotics.people["holder"], robotics.people["stranger"]
    lab.pool.ask(stranger, "gpu-4")
    mine = robotics.ticket().id
    other = lab.pool.ask(new_user(), "gpu-1").json()["ticket"]
    assert (mine, holder) in listed(robotics, "holder")
    assert (mine, None) in listed(robotics, "member")
    assert (mine, holder) in listed(robotics, "owner")
    assert (mine, holder) in listed(robotics, "admin")
    assert mine not in dict(listed(robotics, "stranger"))
    assert (other, None) in listed(robotics, "member")  # everybody is in vision
    assert robotics.call("stranger", "GET", "/api/v1/tickets").json()["others_queued"] == 1
    assert robotics.call("member", "GET", "/api/v1/tickets").json()["others_queued"] == 0


def test_list_is_narrowed_by_state_and_project(robotics: Robotics, lab: Lab, new_user: NewUser):
    lab.pool.ask(robotics.people["holder"], "gpu-4", name="large")
    waits = robotics.ticket().id
    assert listed(robotics, "holder", "?state=queued") == [(waits, robotics.people["holder"])]
    assert dict(listed(robotics, "holder", "?state=queued&state=granted&project=robotics")) == {
        waits: robotics.people["holder"]
    }
    assert robotics.call("holder", "GET", "/api/v1/tickets?state=nice").status_code == 422


def test_pages_follow_each_other_by_their_cursors(robotics: Robotics, lab: Lab):
    filed = [asked(robotics, "holder", name=name).json()["id"] for name in ("", "a", "b", "c", "d")]
    found: list[str] = []
    query = "?project=robotics&limit=2&state=queued&state=granted"
    cursor = ""
    while cursor is not None:
        page = robotics.call("member", "GET", f"/api/v1/tickets{query}{cursor and '&cursor=' + cursor}").json()
        found += [each["id"] for each in page["tickets"]]
        cursor = page["cursor"]
    assert found == filed[::-1]
    bad = robotics.call("member", "GET", "/api/v1/tickets?cursor=nonsense")
    assert (bad.status_code, bad.json()["reason"]) == (422, "not_a_cursor")


def test_each_refusal_has_a_reference_of_its_own(robotics: Robotics):
    paths = ("/api/v1/tickets/none", "/api/v1/tickets?cursor=nonsense")
    answers = [robotics.call("holder", "GET", path).json()["id"] for path in paths for _ in range(2)]
    assert len(set(answers)) == 4


def audited(robotics: Robotics, query: str) -> list[dict[str, str]]:
    answer = robotics.call("admin", "GET", f"/api/v1/audit{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["rows"])


def test_admin_reads_who_did_what_with_names_newest_first(robotics: Robotics, lab: Lab):
    holder, before = robotics.people["holder"], lab.pool.clock().isoformat().replace("+00:00", "Z")
    assert lab.pool.ask(robotics.people["stranger"], "gpu-4").status_code == 200
    ticket = robotics.ticket().id
    assert robotics.call("holder", "POST", f"/api/v1/tickets/{ticket}/leave").status_code == 200
    trail = audited(robotics, f"?ticket={ticket}")
    assert [row["event"] for row in trail] == lab.pool.trail(ticket)[::-1]
    assert (trail[0]["event"], trail[0]["actor"], trail[-1]["event"]) == ("cancelled", holder, "filed")
    pseudonym = lab.pool.call(lab.pool.parts.desk.view(lambda view: view.known_pseudonym(holder)))
    for query in (f"?actor={holder}", f"?actor={pseudonym}&since={before}", f"?event=cancelled&ticket={ticket}"):
        assert trail[0] in audited(robotics, query)
    assert {row["actor"] for row in audited(robotics, f"?actor={holder}")} == {holder}
    later = (lab.pool.clock() + timedelta(days=365)).date()
    assert audited(robotics, f"?since={later}") == audited(robotics, "?actor=nobody") == []


def test_pages_of_the_trail_follow_each_other_by_their_cursors(robotics: Robotics, lab: Lab):
    ticket = robotics.ticket().id
    pages, query = list[list[int]](), f"?ticket={ticket}&limit=1"
    cursor: str | None = ""
    while cursor is not None:
        page = robotics.call("admin", "GET", f"/api/v1/audit{query}{cursor and '&cursor=' + cursor}").json()
        pages.append([row["number"] for row in page["rows"]])
        cursor = page["cursor"]
    numbers = [row["number"] for row in audited(robotics, f"?ticket={ticket}")]
    numbers = [number for number in numbers if number <= pages[0][0]]  # what happened since is on no page
    assert len(numbers) > 1
    assert pages == [[number] for number in numbers]
    for wrong, reason in (
        ("cursor=nonsense", "not_a_cursor"),
        (f"cursor={9**30}", "not_a_cursor"),
        ("since=once", "not_a_time"),
    ):
        bad = robotics.call("admin", "GET", f"/api/v1/audit?{wrong}")
        assert (bad.status_code, bad.json()["reason"]) == (422, reason)


def test_program_asks_for_a_server_which_starts_by_itself(robotics: Robotics, lab: Lab):
    answer = asked(robotics, "holder")
    assert (answer.status_code, answer.json()["user"]) == (201, robotics.people["holder"])
    assert lab.until_ready(robotics.people["holder"]).id == answer.json()["id"]
    assert asked(robotics, "holder").json()["id"] == answer.json()["id"]


def test_request_repeated_with_its_key_files_nothing_new_though_its_ticket_has_ended(robotics: Robotics, lab: Lab):
    lab.pool.ask(robotics.people["stranger"], "gpu-4")
    first = asked(robotics, "holder", key="k1").json()["id"]
    assert robotics.call("holder", "POST", f"/api/v1/tickets/{first}/leave").status_code == 200
    again = asked(robotics, "holder", key="k1")
    assert (again.json()["id"], again.json()["state"]) == (first, "ended")
    other = asked(robotics, "holder", key="k1", hours=2)
    assert (other.status_code, other.json()["reason"]) == (422, "key_used_before")
    assert asked(robotics, "member", key="k1").json()["id"] != first
    assert asked(robotics, "holder", key="k2").json()["id"] != first


@pytest.mark.parametrize(
    ("actor", "changed", "status", "reason"),
    [
        ("stranger", {}, 422, "not_a_member"),
        ("holder", {"profile": "gpu-4"}, 422, "profile_not_in_project"),
        ("holder", {"hours": 99}, 422, "too_long"),
        ("holder", {"profile": "cpu"}, 422, "profile_needs_no_device"),
        ("holder", {"hours": "long"}, 422, "invalid_request"),
        ("admin", {}, 403, "not_a_person"),
    ],
)
def test_program_is_refused_what_the_form_refuses(
    robotics: Robotics, actor: str, changed: dict[str, object], status: int, reason: str
):
    answer = asked(robotics, actor, **changed)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


def test_program_learns_what_its_profiles_would_meet(robotics: Robotics, lab: Lab):
    lab.pool.ask(robotics.people["stranger"], "gpu-4")
    projects = robotics.call("holder", "GET", "/api/v1/profiles").json()["projects"]
    assert set(projects) == {"vision", "robotics"}
    (one,) = (each for each in projects["robotics"] if each["name"] == "gpu-1")
    assert (one["starts_now"], one["hours_now"]) == (False, 0)


def test_who_asks_too_often_is_told_when_to_come_again_and_others_are_not(robotics: Robotics, lab: Lab):
    app_parts = lab.pool.parts
    lab.pool.use(replace(app_parts, rates=Rates(3)))
    try:
        answers = [robotics.call("member", "GET", "/api/v1/pool") for _ in range(5)]
        assert robotics.call("holder", "GET", "/api/v1/pool").status_code == 200
    finally:
        lab.pool.use(app_parts)
    refused = answers[-1]
    assert (refused.status_code, refused.json()["reason"]) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 20
    wait_until(lambda: robotics.call("member", "GET", "/api/v1/pool").status_code == 200, "going on")
