"""Servers that have to stop, by a pool whose machines and hub are in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from labpool.api_models import SpawnAsked
from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease
from labpool.engines import Capabilities, Engine, Trespasser
from labpool.hub_api import HubClient
from labpool.service.asking import Holds
from labpool.service.reconciler import Reconciler
from labpool.service.setting import Setting

from tests.domain.counter import NOW, Counter


class StubbornServers(Engine):
    """One server a ticket, which goes only when it is killed. To end one takes as long as to end all."""

    capabilities = Capabilities(commitments=True, advance_reservations=True, device_ids=True, extend=True)
    trouble = None

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self.running: set[str] = set()
        self.asked: list[str] = []
        self.hears = True

    async def inventory(self, leases: Iterable[Lease] | None = None) -> Inventory:
        return self._inventory

    async def processes(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(self.running, (1,))

    async def terminate(self, ticket: str) -> tuple[int, ...]:
        self.asked.append(ticket)
        return (1,) if self.hears else ()

    async def kill(self, ticket: str) -> tuple[int, ...]:
        self.running.discard(ticket)
        while self.running:
            await asyncio.sleep(0.001)
        return ()

    async def trespassers(self, leases: Iterable[Lease]) -> tuple[Trespasser, ...]:
        return ()


class Pool:
    """Desk and reconciler; time is what a test says."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.desk = Counter(folder).desk
        self.desk.clock = lambda: self.now  # type: ignore[method-assign]
        self.engine = StubbornServers(self.desk.setting.inventory)
        hub = SimpleNamespace(servers=self._servers, stop=self._stop)
        rules = partial(Setting, catalogue=self.desk.catalogue)
        self.reconciler = Reconciler(self.desk, self.engine, cast(HubClient, hub), rules, 1.0)

    async def _servers(self) -> dict[tuple[str, str], Any]:
        return {}

    async def _stop(self, user: str, name: str) -> None:
        return None

    async def start(self, user: str) -> str:
        found = await self.desk.ask(SpawnAsked(user=user, project="vision", profile="gpu-1", hours=1))
        assert isinstance(found, Holds)
        self.engine.running.add(found.ticket.id)
        await self.desk.claim(found.ticket.id)
        return found.ticket.id

    async def look(self, at: datetime) -> None:
        self.now = at
        await asyncio.wait_for(self.reconciler.look(), 20)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(tmp_path)


END = NOW + timedelta(hours=1)


async def test_servers_whose_time_is_over_are_ended_together(pool: Pool):
    names = {await pool.start(user) for user in ("ada", "bert", "cleo")}
    await pool.look(END - timedelta(minutes=1))
    assert set(pool.engine.asked) == names
    await pool.look(END)  # each kill returns when all are gone
    assert pool.engine.running == set()


async def test_server_that_could_not_be_asked_to_stop_is_asked_again_until_it_was(pool: Pool):
    await pool.start("ada")
    pool.engine.hears = False
    for seconds in (60, 50, 40):
        await pool.look(END - timedelta(seconds=seconds))
    assert len(pool.engine.asked) == 3
    pool.engine.hears = True
    for seconds in (30, 20, 10):
        await pool.look(END - timedelta(seconds=seconds))
    assert len(pool.engine.asked) == 4


async def test_servers_without_a_lease_are_ended_together(pool: Pool):
    pool.engine.running |= {"one", "two"}
    await pool.look(NOW)
    assert pool.engine.running == set()
