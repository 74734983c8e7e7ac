from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.service.running_pool import RunningPool

NewUser = Callable[[], str]


def test_first_to_ask_gets_devices_and_all_that_its_server_needs(pool: RunningPool, new_user: NewUser):
    lease = pool.ask(new_user(), "gpu-4", hours=2).json()
    assert lease["outcome"] == "lease"
    assert len({device["id"] for device in lease["devices"]}) == 4
    assert all(device["simulated"] for device in lease["devices"])
    assert (lease["preset"], lease["cpu"], lease["memory_gib"]) == ("mirrored", 4, 8)


def test_asking_again_gives_the_same_lease(pool: RunningPool, new_user: NewUser):
    user = new_user()
    first, second = pool.ask(user).json(), pool.ask(user).json()
    assert (first["ticket"], first["devices"], first["ends"]) == (second["ticket"], second["devices"], second["ends"])


def test_who_finds_all_leased_gets_one_ticket_however_often_they_ask(pool: RunningPool, new_user: NewUser):
    pool.ask(new_user(), "gpu-4")
    user = new_user()
    answers = [pool.ask(user) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["path"] for answer in answers}) == 1
    (ticket,) = pool.tickets(user)
    assert (ticket.place, ticket.state) == (1, "queued")
    assert ticket.starts_by is not None
    assert ticket.wait is not None
    assert ticket.wait.reason == "devices"


def test_limit_used_up_by_own_servers_makes_a_ticket_that_names_them(pool: RunningPool, new_user: NewUser):
    user = new_user()
    for name in ("a", "b", "c", "d"):
        assert pool.ask(user, name=name).json()["outcome"] == "lease"
    assert pool.ask(user, name="fifth").status_code == 202
    (waiting,) = [ticket for ticket in pool.tickets(user) if ticket.state == "queued"]
    assert waiting.wait is not None
    assert waiting.wait.reason == "own_limit"
    assert 'your server "a"' in waiting.wait.message


def test_lease_of_another_profile_is_not_taken_away_by_asking(pool: RunningPool, new_user: NewUser):
    user = new_user()
    pool.ask(user, "gpu-1")
    answer = pool.ask(user, "gpu-4")
    assert (answer.status_code, answer.json()["reason"]) == (409, "server_holds_other_lease")
    assert "gpu-1" in answer.json()["remedy"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"project": "nowhere"}, "unknown_project"),
        ({"profile": "nothing"}, "unknown_profile"),
        ({"profile": "cpu"}, "profile_needs_no_device"),
        ({"hours": 99}, "too_long"),
        ({"hours": 0.001}, "too_short"),
    ],
)
def test_request_that_can_never_be_met_is_refused_with_a_remedy(
    pool: RunningPool, new_user: NewUser, change: dict[str, object], reason: str
):
    asked = {"user": new_user(), "project": "vision", "profile": "gpu-1", "hours": 1} | change
    answer = pool.as_spawner("POST", "/spawns", asked)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["reason"] == reason
    assert problem["remedy"]
    assert problem["id"]


def test_many_asking_at_once_never_share_a_device(pool: RunningPool, new_user: NewUser):
    users = [new_user() for _ in range(12)]
    with ThreadPoolExecutor(12) as threads:
        answers = [answer.json() for answer in threads.map(pool.ask, users)]
    leased = [device["id"] for answer in answers if answer["outcome"] == "lease" for device in answer["devices"]]
    assert len(leased) == len(set(leased)) == 4
    places = sorted(ticket.place for user in users for ticket in pool.tickets(user) if ticket.place)
    assert places == list(range(1, 9))


def test_same_server_asked_for_twice_at_once_gets_one_lease(pool: RunningPool, new_user: NewUser):
    user = new_user()
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: pool.ask(user).json(), range(4)))
    assert len({answer["ticket"] for answer in answers}) == 1


def test_only_the_hub_may_ask_for_leases(pool: RunningPool):
    answer = httpx.post(f"{pool.url}/api/v1/spawns", json={}, trust_env=False)
    assert (answer.status_code, answer.json()["reason"]) == (401, "spawner_token_needed")


def test_token_of_one_ticket_claims_no_other(pool: RunningPool, new_user: NewUser):
    first, second = pool.ask(new_user()).json(), pool.ask(new_user()).json()
    headers = {"Authorization": f"Bearer {first['ticket_token']}"}
    other = httpx.post(f"{pool.url}/api/v1/tickets/{second['ticket']}/claim", headers=headers, trust_env=False)
    own = httpx.post(f"{pool.url}/api/v1/tickets/{first['ticket']}/claim", headers=headers, trust_env=False)
    assert (other.status_code, own.status_code) == (401, 204)
    assert pool.ticket(first["ticket"]).state == "running"


def test_form_says_what_is_free_and_when_the_next_is(pool: RunningPool, new_user: NewUser):
    before = pool.as_spawner("GET", f"/users/{new_user()}/form").json()
    pool.ask(new_user(), "gpu-4", hours=2)
    after = pool.as_spawner("GET", f"/users/{new_user()}/form").json()
    (flavour,) = after["pool"]["flavours"]
    assert before["pool"]["flavours"][0]["free"] == 4
    assert (flavour["free"], flavour["total"], flavour["simulated"]) == (0, 4, True)
    profiles = {profile["name"]: profile for profile in after["projects"]["vision"]}
    assert profiles["cpu"]["starts_now"]
    assert not profiles["gpu-1"]["starts_now"]
    assert profiles["gpu-1"]["next_start"]


def test_other_request_under_a_name_that_waits_is_refused_and_the_ticket_stays(pool: RunningPool, new_user: NewUser):
    pool.ask(new_user(), "gpu-4")
    user = new_user()
    ticket = pool.ask(user).json()["ticket"]
    for answer in (pool.ask(user, "gpu-4"), pool.ask(user, hours=2)):
        assert (answer.status_code, answer.json()["reason"]) == (409, "server_waits_for_other")
        assert "Leave the queue" in answer.json()["remedy"]
    assert [each.id for each in pool.tickets(user)] == [ticket]
