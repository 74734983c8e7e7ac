"""Both Python clients against a real pool; there is a call for every operation of the API."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator
from types import ModuleType

import httpx
import pytest
from labpool.api_models import (
    AuditAsked,
    DrainAsked,
    FenceAsked,
    GrantAsked,
    NoticeView,
    OfferTaken,
    OverrideAsked,
    ServerAsked,
)
from labpool.client import (
    PoolClient,
    PoolRefused,
    PoolUnavailable,
    SyncPoolClient,
    admin_calls,
    preference_calls,
    ticket_calls,
    wire,
)

from tests.service.actors import Robotics, operations, robotics_of
from tests.service.lab import Lab

NewUser = Callable[[], str]
VALUES = {
    "hours": 1.0,
    "starts_again": True,
    "limit": 1,
    "broken": 0,
    "states": (),
    "groups": (),
    "about": AuditAsked(),
}


@pytest.fixture
def robotics(lab: Lab, new_user: NewUser) -> Iterator[Robotics]:
    with robotics_of(lab, new_user) as found:
        yield found


def client_of(robotics: Robotics, actor: str) -> SyncPoolClient:
    return SyncPoolClient(robotics.lab.pool.url, robotics.token(actor), timeout=30)


def calls_in(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Name and operation of each call that a module makes; every name in a path is "x"."""
    for name, make in inspect.getmembers(module, inspect.isfunction):
        parameters = inspect.signature(make).parameters
        if make.__module__ == module.__name__ and "Call[" in str(make.__annotations__.get("return")):
            call = make(*(VALUES.get(parameter, "x") for parameter in parameters))
            yield name, f"{call.method} {re.sub('/x(?=/|$)', '/{}', call.path)}"


def test_every_operation_has_a_call_in_both_clients(robotics: Robotics):
    document = operations(httpx.get(f"{robotics.lab.pool.url}/openapi.json", trust_env=False).json())
    wanted = {re.sub("{[a-z]+}", "{}", operation) for operation in document} - {
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
    }
    calls = dict(pair for module in (wire, ticket_calls, admin_calls, preference_calls) for pair in calls_in(module))
    assert set(calls.values()) == wanted
    for name in calls:
        for client in (PoolClient, SyncPoolClient):
            assert callable(getattr(client, name)), f"{client.__name__}.{name}"


def test_researchers_program_asks_waits_and_leaves(robotics: Robotics, lab: Lab):
    lab.pool.ask(robotics.people["stranger"], "gpu-4")
    asked = ServerAsked(project="robotics", profile="gpu-1", hours=1)
    with client_of(robotics, "holder") as client:
        ticket = client.ask(asked, key="k")
        assert client.ask(asked, key="k").id == ticket.id == client.ticket(ticket.id).id
        assert client.pool().queued == 1
        assert set(client.profiles().projects) == {"vision", "robotics"}
        page = client.tickets(["queued"], "robotics", limit=1)
        assert [each.id for each in page.tickets] == [ticket.id]
        assert not client.again(ticket.id, False).starts_again
        for refused in (
            lambda: client.ready(ticket.id),
            lambda: client.switch(ticket.id),
            lambda: client.end(ticket.id),
            lambda: client.extend(ticket.id, 1),
            lambda: client.instead(ticket.id, OfferTaken(profile="gpu-1", hours=1)),
        ):
            with pytest.raises(PoolRefused) as caught:
                refused()
            assert caught.value.problem.status == 409
        assert client.leave(ticket.id).end_reason == "cancelled"


def test_admins_program_steers_machines_rules_and_tickets(robotics: Robotics, lab: Lab, new_user: NewUser):
    with client_of(robotics, "admin") as client:
        assert {device.node for device in client.devices()} == {"demo"}
        drain = client.drain(DrainAsked(node="demo", why="New fans"))
        assert client.drains() == [drain]
        client.undrain(drain.id)
        with pytest.raises(PoolRefused, match="not silent"):
            client.fence(FenceAsked(node="demo", why="Off"))
        made = client.override(OverrideAsked(rule="weight", name="vision", value=3, why="A deadline"))
        assert client.overrides() == [made]
        client.end_override(made.id)
        assert client.reload().valid
        trail = client.audit(AuditAsked(event="drained", limit=1))
        assert [row.detail for row in trail.rows] == [f"{drain.id}: machine demo: New fans"]
        since = trail.rows[0].at.isoformat()
        assert trail == client.audit(AuditAsked(event="drained", limit=1, since=since))
        lab.pool.ask(new_user(), "gpu-4")
        with pytest.raises(PoolRefused, match="nobody else waited"):
            client.grant(robotics.ticket().id, GrantAsked(why="A deadline"))


def test_async_program_asks_and_reads_its_notices(robotics: Robotics):
    async def story() -> NoticeView:
        async with PoolClient(robotics.lab.pool.url, robotics.token("holder"), timeout=30) as client:
            await client.ask(ServerAsked(project="robotics", profile="gpu-1", hours=1))
            return await anext(client.notices())

    assert asyncio.run(story()).kind == "granted"


def test_blocking_program_reads_its_notices(robotics: Robotics):
    with client_of(robotics, "holder") as client:
        client.ask(ServerAsked(project="robotics", profile="gpu-1", hours=1))
        assert next(client.notices()).message.startswith("It is your turn")


def test_refusals_of_a_stream_and_a_pool_that_is_away_are_told_apart(robotics: Robotics):
    with client_of(robotics, "program") as client, pytest.raises(PoolRefused, match="scope"):
        next(client.notices())
    with SyncPoolClient("http://127.0.0.1:9", "x") as client, pytest.raises(PoolUnavailable, match="no answer"):
        next(client.notices())
