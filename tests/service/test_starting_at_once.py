"""Servers whose turn has just come, started before the pool looks round."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from labpool.api_models import SpawnAsked
from labpool.hub_api import HubClient, HubRefused, HubServer
from labpool.service.asking import Holds, Waits
from labpool.service.reconciler import Reconciler
from labpool.service.setting import Setting

from tests.domain.counter import Counter
from tests.service.test_stopping import StubbornServers


class Hub(HubClient):
    """Notes what it is asked to start, and refuses it where a test says so."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "no-token")
        self.up: dict[tuple[str, str], HubServer] = {}
        self.started: list[str] = []
        self.refusal: HubRefused | None = None

    async def servers(self) -> dict[tuple[str, str], HubServer]:
        return self.up

    async def start(self, user: str, name: str, options: Mapping[str, object]) -> None:
        self.started.append(user)
        if self.refusal is not None:
            raise self.refusal

    async def stop(self, user: str, name: str) -> None:
        return None


class FullPool:
    """Four GPUs, all leased; ada holds one of them and zoe waits for one."""

    def __init__(self, folder: Path) -> None:
        self.desk, self.hub = Counter(folder).desk, Hub()
        engine, rules = StubbornServers(self.desk.setting.inventory), partial(Setting, catalogue=self.desk.catalogue)
        self.reconciler = Reconciler(self.desk, engine, self.hub, rules, 1.0)

    async def fill(self) -> None:
        self.ada = await self._ask("ada", Holds)
        for user in ("bert", "cleo", "dora"):
            await self._ask(user, Holds)
        self.zoe = await self._ask("zoe", Waits)
        self.hub.up = {(user, ""): up(user) for user in ("ada", "bert", "cleo", "dora")}
        await self.reconciler.look()
        assert self.hub.started == []

    async def _ask(self, user: str, kind: type[Any]) -> str:
        found = await self.desk.ask(SpawnAsked(user=user, project="vision", profile="gpu-1", hours=1))
        assert isinstance(found, kind)
        ticket: str = found.ticket.id
        return ticket

    async def tries_of_zoe(self) -> int:
        lease = await self.desk.find_lease(self.zoe)
        assert lease is not None
        return lease.start_tries


def up(user: str, profile: str = "gpu-1") -> HubServer:
    return HubServer(user, "", True, "", profile)


@pytest.fixture
def pool(tmp_path: Path) -> FullPool:
    return FullPool(tmp_path)


async def settled() -> None:
    """Once all that was begun is done."""
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))


async def test_next_one_is_started_before_the_pool_looks_round(pool: FullPool):
    await pool.fill()
    await pool.reconciler.stopped(pool.ada, "ada")
    await settled()
    assert pool.hub.started == ["zoe"]
    assert await pool.tries_of_zoe() == 1


async def test_one_whose_spawner_still_waits_is_not_started_by_the_pool_too(pool: FullPool):
    await pool.fill()
    pool.desk.changes.askers[pool.zoe] += 1
    await pool.reconciler.stopped(pool.ada, "ada")
    await settled()
    assert await pool.desk.find_lease(pool.zoe) is not None
    assert pool.hub.started == []


async def test_server_with_another_one_in_its_way_is_left_to_the_look(pool: FullPool):
    await pool.fill()
    pool.hub.up["zoe", ""] = up("zoe", "cpu")
    await pool.reconciler.look()
    await pool.reconciler.stopped(pool.ada, "ada")
    await settled()
    assert pool.hub.started == []


async def test_start_that_nobody_looked_before_costs_no_try_and_no_pause_where_it_is_refused(pool: FullPool):
    await pool.fill()
    pool.hub.refusal = HubRefused(400, "zoe is pending stop")
    await pool.reconciler.stopped(pool.ada, "ada")
    await settled()
    assert await pool.tries_of_zoe() == 0
    pool.hub.refusal = None
    del pool.hub.up["ada", ""]
    await pool.reconciler.look()
    await settled()
    assert pool.hub.started == ["zoe", "zoe"]
    assert await pool.tries_of_zoe() == 1


@pytest.mark.parametrize(("status", "tries"), [(500, 1), (429, 0)], ids=["a failed start", "a busy hub"])
async def test_what_no_look_could_have_seen_counts_and_pauses_as_ever(pool: FullPool, status: int, tries: int):
    await pool.fill()
    pool.hub.refusal = HubRefused(status, "not now")
    await pool.reconciler.stopped(pool.ada, "ada")
    await settled()
    del pool.hub.up["ada", ""]
    await pool.reconciler.look()
    await settled()
    assert pool.hub.started == ["zoe"]  # the next try waits
    assert await pool.tries_of_zoe() == tries
