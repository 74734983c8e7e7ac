from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import httpx
import pytest
from labpool.service.app import PREFIX

from tests.real_hub import RealHub, wait_until
from tests.service.running_pool import RunningPool

NewUser = Callable[[], str]
ACCESS, READ, WRITE = "access:services!service=pool", "custom:labpool:read", "custom:labpool:write"


class Program:
    """A program of a user's, with a token of the hub."""

    def __init__(self, hub: RealHub, user: str, scopes: Sequence[str]) -> None:
        headers = {"Authorization": f"Bearer {hub.token_for(user, scopes)}"}
        self._client = httpx.Client(base_url=f"{hub.url}{PREFIX}/api/v1", headers=headers, timeout=30, trust_env=False)

    def get(self, path: str) -> httpx.Response:
        return self._client.get(path)

    def post(self, path: str, json: object = None) -> httpx.Response:
        return self._client.post(path, json=json)


def test_program_sees_and_steers_its_owners_tickets(pool: RunningPool, hub: RealHub, new_user: NewUser):
    pool.ask(new_user(), "gpu-4")
    user = new_user()
    ticket = pool.ask(user).json()["ticket"]
    program = Program(hub, user, [ACCESS, READ, WRITE])
    listed = program.get("/tickets").json()["tickets"]
    assert [each["id"] for each in listed if each["user"] == user] == [ticket]
    assert program.get("/pool").json()["flavours"][0]["free"] == 0
    left = program.post(f"/tickets/{ticket}/leave")
    assert (left.status_code, left.json()["state"], left.json()["end_reason"]) == (200, "ended", "cancelled")
    again = program.post(f"/tickets/{ticket}/leave")
    assert (again.status_code, again.json()["reason"]) == (409, "not_now")


def test_token_without_the_scope_is_refused_by_its_name(pool: RunningPool, hub: RealHub, new_user: NewUser):
    user = new_user()
    ticket = pool.ask(user).json()["ticket"]
    reader, stranger = Program(hub, user, [ACCESS, READ]), Program(hub, user, ["self"])
    refused = reader.post(f"/tickets/{ticket}/end")
    assert (refused.status_code, refused.json()["reason"]) == (403, "missing_scope")
    assert WRITE in refused.json()["detail"]
    assert stranger.get("/pool").status_code == 403


@pytest.mark.parametrize(
    ("method", "path"), [("get", ""), *(("post", f"/{act}") for act in ("leave", "ready", "switch", "end"))]
)
def test_somebody_elses_ticket_looks_like_none(
    pool: RunningPool, hub: RealHub, new_user: NewUser, method: str, path: str
):
    ticket = pool.ask(new_user()).json()["ticket"]
    program = Program(hub, new_user(), [ACCESS, READ, WRITE])
    theirs = getattr(program, method)(f"/tickets/{ticket}{path}")
    nobodys = getattr(program, method)(f"/tickets/0123456789abcdef{path}")
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json() | {"id": ""} == nobodys.json() | {"id": ""}
    assert pool.ticket(ticket).state == "granted"


def test_admins_token_sees_any_ticket(pool: RunningPool, hub: RealHub, new_user: NewUser):
    ticket = pool.ask(new_user()).json()["ticket"]
    headers = {"Authorization": f"Bearer {hub.admin_token}"}
    answer = httpx.get(f"{pool.url}/api/v1/tickets/{ticket}", headers=headers, trust_env=False)
    assert answer.status_code == 200


def test_giving_back_a_granted_ticket_frees_its_devices(pool: RunningPool, hub: RealHub, new_user: NewUser):
    user = new_user()
    ticket = pool.ask(user, "gpu-4").json()["ticket"]
    program = Program(hub, user, [ACCESS, READ, WRITE])
    assert program.post(f"/tickets/{ticket}/end").status_code == 200
    wait_until(lambda: pool.ticket(ticket).end_reason == "stopped", "the lease's end")
    assert program.get("/pool").json()["flavours"][0]["free"] == 4


def test_without_a_token_every_route_but_health_asks_for_one(pool: RunningPool):
    document = httpx.get(f"{pool.url}/openapi.json", trust_env=False).json()
    for path, methods in document["paths"].items():
        for method in methods:
            filled = re.sub("{[a-z]+}", "0123456789abcdef", path)
            url = f"{pool.url.removesuffix(PREFIX)}{filled}"
            answer = httpx.request(method, url, trust_env=False)
            expected = {"/services/pool/healthz": 200, "/services/pool/readyz": 204}.get(path, 401)
            assert answer.status_code == expected, f"{method} {path}"
            assert answer.headers["content-type"].startswith("application/")


def test_invalid_request_names_the_field(pool: RunningPool):
    answer = pool.as_spawner("POST", "/spawns", {"user": "ada", "project": "vision", "profile": "gpu-1", "hours": "x"})
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid_request")
    assert "hours" in answer.json()["detail"]


def test_unknown_path_is_a_problem_too(pool: RunningPool):
    answer = httpx.get(f"{pool.url}/nothing", trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_body_that_is_too_large_is_refused_before_anybody_reads_it(pool: RunningPool):
    answer = httpx.post(f"{pool.url}/api/v1/spawns", content=b"[" * 1_000_000, trust_env=False)
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")


def test_stream_of_somebody_elses_ticket_is_refused_with_its_status(pool: RunningPool, hub: RealHub, new_user: NewUser):
    ticket = pool.ask(new_user()).json()["ticket"]
    headers = {"Authorization": f"Bearer {hub.token_for(new_user(), [ACCESS, READ])}"}
    answer = httpx.get(f"{pool.url}/tickets/{ticket}/events", headers=headers, trust_env=False)
    assert answer.status_code == 404


def test_page_needs_the_same_scope_as_the_api(pool: RunningPool, hub: RealHub, new_user: NewUser):
    headers = {"Authorization": f"Bearer {hub.token_for(new_user(), [ACCESS])}"}
    assert httpx.get(f"{pool.url}/", headers=headers, trust_env=False).status_code == 403
