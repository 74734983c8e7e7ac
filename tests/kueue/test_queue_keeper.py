"""When the queues are synced while the pool runs, and what is said where that fails; no cluster is asked here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from labpool.cluster import ClusterApi, ClusterUnavailable
from labpool.domain.catalogue import Catalogue
from labpool.kueue import queue_keeper
from labpool.kueue.manifests import Kind, Named
from labpool.kueue.queue_keeper import QueueKeeper
from labpool.kueue.steps import Act, Step, Synced
from labpool.settings import ClusterSettings, KueueSettings

from tests.domain.lab import catalogue

DRIFTED = Step(Act.DRIFTED, Named(Kind.CLUSTER_QUEUE, "lab-vision"))


class SyncInMemory:
    """Stands in for the sync, which tests/kubernetes/test_kueue_sync.py tries on a cluster."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown: list[Catalogue] = []
        self.steps: tuple[Step, ...] = ()
        self.answers, self.now = True, 0.0
        self.error: Exception = ClusterUnavailable("it gives no answer")
        monkeypatch.setattr(queue_keeper, "sync_queues", self.sync)
        monkeypatch.setattr(queue_keeper, "time", SimpleNamespace(monotonic=lambda: self.now))

    async def sync(self, _api: object, rules: Catalogue, *_: object, **how: bool) -> Synced:
        assert how == {"dry_run": False, "force": False}
        self.shown.append(rules)
        if not self.answers:
            raise self.error
        return Synced("lab", "servers", False, self.steps)


@pytest.fixture
def sync(monkeypatch: pytest.MonkeyPatch) -> SyncInMemory:
    return SyncInMemory(monkeypatch)


@pytest.fixture
def keeper() -> QueueKeeper:
    return QueueKeeper(cast(ClusterApi, None), lambda: (ClusterSettings(), KueueSettings("lab", namespace="servers")))


def test_synced_at_the_start_with_each_change_of_the_rules_and_now_and_then(sync: SyncInMemory, keeper: QueueKeeper):
    first, second = catalogue({"vision": (4, 4)}), catalogue({"vision": (3, 4)})

    async def story() -> None:
        for rules in (first, first, second, second):
            await keeper.keep(rules)
        assert sync.shown == [first, second]
        sync.now = 601.0
        await keeper.keep(second)
        assert sync.shown == [first, second, second]

    asyncio.run(story())
    assert keeper.trouble is None


@pytest.mark.parametrize("error", [ClusterUnavailable, ValueError])
def test_failed_sync_is_told_and_tried_again_soon(
    sync: SyncInMemory, keeper: QueueKeeper, error: Callable[[str], Exception]
):
    async def story() -> None:
        sync.answers, sync.error = False, error("it gives no answer")
        await keeper.keep(catalogue())
        assert "it gives no answer" in (keeper.trouble or "")
        await keeper.keep(catalogue())
        assert len(sync.shown) == 1
        sync.answers, sync.now = True, 16.0
        await keeper.keep(catalogue())
        assert keeper.trouble is None

    asyncio.run(story())


def test_what_others_have_set_is_named(sync: SyncInMemory, keeper: QueueKeeper):
    sync.steps = (DRIFTED,)
    asyncio.run(keeper.keep(catalogue()))
    assert "ClusterQueue lab-vision" in (keeper.trouble or "")
    assert "labpool kueue sync --dry-run" in (keeper.trouble or "")
