"""A machine out of service, as the people who use it and wait for it see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from labpool.api_models import NodeTroubleView
from labpool.domain.inventory import Condition, Inventory

from tests.real_hub import wait_until
from tests.service.lab import Lab

NewUser = Callable[[], str]
Turn = Callable[[Condition], None]


@pytest.fixture
def turn(lab: Lab) -> Iterator[Turn]:
    """Lets the engine say how its one machine stands; a simulated machine cannot break."""
    engine, found = lab.pool.engine, lab.pool.parts.desk.inventory

    def to(condition: Condition) -> None:
        since = lab.pool.clock()
        engine.inventory = _look(replace(found, nodes=tuple(_turned(found, condition, since))))  # type: ignore[method-assign]
        lab.pool.call(lab.pool.parts.reconciler.look())

    yield to
    del engine.inventory  # type: ignore[method-assign]
    lab.pool.call(lab.pool.parts.reconciler.look())


def _turned(found: Inventory, condition: Condition, since: datetime) -> Iterator[object]:
    yield from (replace(node, condition=condition, since=since) for node in found.nodes)


def _look(inventory: Inventory) -> object:
    async def look(leases: object = None) -> Inventory:
        return inventory

    return look


def out_of_service(lab: Lab) -> tuple[NodeTroubleView, ...]:
    return lab.pool.call(lab.pool.parts.viewer.pool()).out_of_service


def test_on_a_drained_machine_servers_run_on_and_nobody_else_starts(lab: Lab, new_user: NewUser, turn: Turn):
    first, second = new_user(), new_user()
    running = lab.running(first)
    turn(Condition.DRAINED)
    (node,) = out_of_service(lab)
    assert (node.node, node.condition, node.devices) == ("demo", "drained", 4)
    assert lab.start(second).status_code == 503
    waiting = lab.ticket_of(second).wait
    assert waiting is not None
    assert "out of service" in waiting.message
    now = lab.pool.ticket(running.id)
    assert (now.state, now.server_ready) == ("running", True)
    assert now.lease is not None
    assert "taken out of service" in now.lease.machine
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
    assert lab.pool.trail(running.id)[-2:] == ["lost", "requeued"]
    turn(Condition.SERVING)
    assert lab.until_ready(user).id == running.id


def test_server_that_was_never_used_loses_nothing_with_its_machine(lab: Lab, new_user: NewUser, turn: Turn):
    user = new_user()
    lab.start(user, hours=2)
    granted = lab.until_ready(user)
    turn(Condition.FAILED)
    lab.until(granted, "queued")
    again = lab.pool.ticket(granted.id)
    assert (again.hours, again.needs_ready, again.place) == (2, False, 1)


@pytest.fixture
def silence(lab: Lab, turn: Turn) -> Iterator[Callable[[], None]]:
    """Lets the machine fall silent, until it is turned and its processes are heard of again."""

    async def nothing() -> dict[str, tuple[int, ...]]:
        return {}

    def fall() -> None:
        lab.pool.engine.processes = nothing  # type: ignore[method-assign]
        turn(Condition.SILENT)

    yield fall
    lab.pool.engine.__dict__.pop("processes", None)


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
