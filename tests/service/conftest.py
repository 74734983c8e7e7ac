from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from labpool.domain.inventory import Condition, Inventory
from labpool.domain.tickets import State
from labpool.service.desk import NotNow
from labpool.service.in_line import leave_line

from tests.conftest import DATABASES
from tests.ports import free_ports
from tests.real_hub import RealHub, Service, running_hub, wait_until
from tests.service.lab import Lab
from tests.service.running_pool import POOL_TOKEN, POOL_YAML, RunningPool, hub_config, server_path

USERS = [f"user-{number}" for number in range(500)]
Turn = Callable[..., None]


@pytest.fixture(scope="session", params=DATABASES)
def pool_and_hub(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningPool, RealHub]]:
    with pool_on(request, tmp_path_factory) as both:
        yield both


@contextlib.contextmanager
def pool_on(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pool_yaml: str = POOL_YAML
) -> Iterator[tuple[RunningPool, RealHub]]:
    """A pool and a hub on the kind of database that a fixture's parameter names."""
    on_postgres = request.param == "postgresql"
    database = request.getfixturevalue("postgres").new_database() if on_postgres else ""
    with pool_before_hub(tmp_path_factory.mktemp("pool"), USERS, pool_yaml, database) as both:
        yield both


@contextlib.contextmanager
def pool_before_hub(
    folder: Path, users: Sequence[str], pool_yaml: str = POOL_YAML, database: str = ""
) -> Iterator[tuple[RunningPool, RealHub]]:
    """A pool and a hub of their own, with servers stopped at the end."""
    (port,) = free_ports(1)
    service = Service("pool", "/services/pool/", port, POOL_TOKEN)
    pool = RunningPool(folder, port, "", pool_yaml, database)
    (folder / "pool.yaml").write_text(pool_yaml)
    config = hub_config(pool.url, pool.place(), folder / "pool.yaml")
    with running_hub(folder, [service], {user: ["researchers"] for user in users}, config) as hub:
        pool.hub_api_url = hub.api_url
        pool.start()
        yield pool, hub
        for user in hub.api("GET", "/users?state=active").json():
            for name in user["servers"]:
                hub.api("DELETE", server_path(user["name"], name))
        pool.stop()


@pytest.fixture
def hub(pool_and_hub: tuple[RunningPool, RealHub]) -> RealHub:
    return pool_and_hub[1]


@pytest.fixture
def pool(pool_and_hub: tuple[RunningPool, RealHub]) -> Iterator[RunningPool]:
    """The pool, with every lease and ticket of the test gone afterwards."""
    pool, hub = pool_and_hub
    yield pool
    give_everything_back(pool, hub)
    pool.clock.ahead = timedelta(0)


def give_everything_back(pool: RunningPool, hub: RealHub) -> None:
    """Leave nothing queued, leased or running."""
    for ticket in [ticket for ticket in pool.open_tickets() if ticket.state is State.QUEUED]:
        pool.call(leave_line(pool.parts.desk, ticket.id, ticket.user))
    for ticket in pool.open_tickets():
        hub.api("DELETE", server_path(ticket.user, ticket.name))
        with contextlib.suppress(NotNow):
            pool.call(pool.parts.reconciler.give_back(ticket, ticket.user))
    wait_until(lambda: not pool.open_tickets(), "all leases given back")


@pytest.fixture
def lab(pool: RunningPool, hub: RealHub) -> Lab:
    return Lab(pool, hub)


@pytest.fixture
def new_user(lab: Lab) -> Callable[[], str]:
    """A user of the lab whom no other test has."""
    return lambda: USERS[next(lab.pool.newcomers)]


@pytest.fixture
def turn(lab: Lab) -> Iterator[Turn]:
    """Lets the engine say how a machine stands, "demo" or "other"; no simulated one breaks by itself."""
    engine, found = lab.pool.engine, lab.pool.parts.desk.inventory
    (demo,) = found.nodes
    devices = tuple(replace(device, node="other") if device.index > 1 else device for device in found.devices)
    nodes = {"demo": demo, "other": replace(demo, name="other")}

    def to(condition: Condition, *names: str) -> None:
        for name in names or nodes:
            nodes[name] = replace(nodes[name], condition=condition, since=lab.pool.clock())
        engine.inventory = _look(Inventory(tuple(nodes.values()), devices))  # type: ignore[method-assign]
        lab.pool.call(lab.pool.parts.reconciler.look())

    to(Condition.SERVING)
    yield to
    del engine.inventory  # type: ignore[method-assign]
    lab.pool.call(lab.pool.parts.reconciler.look())


def _look(inventory: Inventory) -> object:
    async def look(leases: object = None) -> Inventory:
        return inventory

    return look


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
