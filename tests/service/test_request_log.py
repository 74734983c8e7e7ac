"""The log of requests: each is there, and nobody's name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import httpx
import pytest
from labpool.log_lines import JsonLines

from tests.real_hub import wait_until
from tests.service.actors import ACCESS, READ, Robotics, robotics_of
from tests.service.admin import AdminDesk
from tests.service.lab import Lab

NewUser = Callable[[], str]
TICKETS = "/services/pool/api/v1/tickets"


@pytest.fixture
def robotics(lab: Lab, new_user: NewUser) -> Iterator[Robotics]:
    with robotics_of(lab, new_user) as found:
        yield found


@pytest.fixture
def log(lab: Lab, caplog: pytest.LogCaptureFixture) -> Callable[..., dict[str, object]]:
    """Waits for the only line of a route and status since the last time, and gives it; nothing else is to be there."""
    caplog.set_level(logging.INFO, "labpool.requests")

    def line(route: str, status: int) -> dict[str, object]:
        def found() -> list[dict[str, object]]:
            lines = [vars(record) for record in caplog.records if record.name == "labpool.requests"]
            return [each for each in lines if (each["route"], each["status"]) == (route, status)]

        wait_until(lambda: bool(found()), f"a line of {route}", seen=lambda: caplog.messages)
        (only,) = found()
        written = "\n".join(JsonLines().format(record) for record in caplog.records)
        assert not any(f'"{user}"' in written or f"/{user}" in written for user in lab.hub.users)
        caplog.clear()
        return only

    return line


def pseudonym(lab: Lab, user: str) -> str | None:
    return lab.pool.call(lab.pool.parts.desk.view(lambda view: view.known_pseudonym(user)))


def test_each_caller_is_named_by_a_pseudonym_or_as_a_program(robotics: Robotics, log: Callable[..., dict[str, object]]):
    ticket = robotics.ticket().id
    log("/services/pool/api/v1/spawns", 200)
    route, path = f"{TICKETS}/{{ticket}}", f"/api/v1/tickets/{ticket}"
    for actor, status in (("holder", 200), ("owner", 200), ("stranger", 404)):
        assert robotics.call(actor, "GET", path).status_code == status
        line = log(route, status)
        assert (line["method"], line["ticket"]) == ("GET", ticket)
        assert line["who"] == pseudonym(robotics.lab, robotics.people[actor]) is not None
        assert isinstance(line["ms"], float)
    robotics.call("anonymous", "GET", path)
    assert log(route, 401)["who"] == "nobody"
    robotics.call("program", "GET", path)
    assert str(log(route, 403)["who"]).startswith("service ")
    robotics.call("server", "POST", f"{path}/claim", ticket=ticket)
    assert log(f"{route}/claim", 204)["who"] == "server"
    robotics.call("spawner", "GET", f"/api/v1/users/{robotics.people['holder']}/home")
    assert log("/services/pool/api/v1/users/{user}/home", 200)["who"] == "spawner"


def test_who_was_never_seen_gets_a_pseudonym_that_the_records_keep(
    lab: Lab, new_user: NewUser, log: Callable[..., dict[str, object]]
):
    user = new_user()
    assert pseudonym(lab, user) is None
    headers = {"Authorization": f"Bearer {lab.hub.token_for(user, [ACCESS, READ])}"}
    httpx.get(f"{lab.pool.url}/api/v1/pool", headers=headers, trust_env=False)
    seen = log("/services/pool/api/v1/pool", 200)["who"]
    assert seen == pseudonym(lab, user)
    ticket = lab.pool.ask(user).json()["ticket"]
    audited = AdminDesk(lab).call("GET", f"/audit?actor={seen}").json()["rows"]
    assert ticket in [row["ticket"] for row in audited]


def test_who_was_erased_leads_to_no_line_any_more(lab: Lab, new_user: NewUser, log: Callable[..., dict[str, object]]):
    user = new_user()
    headers = {"Authorization": f"Bearer {lab.hub.token_for(user, [ACCESS, READ])}"}

    def asks() -> object:
        httpx.get(f"{lab.pool.url}/api/v1/pool", headers=headers, trust_env=False)
        return log("/services/pool/api/v1/pool", 200)["who"]

    before = asks()
    assert asks() == before
    erased = AdminDesk(lab).call("DELETE", f"/people/{user}")
    assert erased.json()["pseudonym"] == before
    assert log("/services/pool/api/v1/people/{name}", 200)["who"] == "service test-admin"
    assert asks() not in (before, "unknown")


def test_what_monitors_ask_and_what_stands_in_addresses_is_not_written(
    lab: Lab, new_user: NewUser, log: Callable[..., dict[str, object]], caplog: pytest.LogCaptureFixture
):
    for path in ("healthz", "readyz", "openapi.json"):
        assert httpx.get(f"{lab.pool.url}/{path}", trust_env=False).is_success
    httpx.get(f"{lab.pool.url}/of/{new_user()}", trust_env=False)
    assert log("", 404)["who"] == "nobody"
    httpx.get(f"{lab.pool.url}/api/v1/tickets/{new_user()}", trust_env=False)
    assert "ticket" not in log(f"{TICKETS}/{{ticket}}", 401)
    assert not [record for record in caplog.records if record.name == "labpool.requests"]
