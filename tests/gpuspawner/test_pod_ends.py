"""Stops and failed starts of pods: what is left of the pod, and what the pool hears of the lease."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from gpuspawner.claim import Claim
from gpuspawner.kubernetes import GPUKubeSpawner

from tests.gpuspawner.fake_cluster import POD, FakeCluster
from tests.gpuspawner.pods import lease, pod_spawner

pytestmark = pytest.mark.usefixtures("no_cluster")


def runs(hours: float = 1) -> dict[str, object]:
    """The status of a pod that has run for some hours."""
    began = (datetime.now(timezone.utc) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    state = {"running": {"startedAt": began}}
    return {"phase": "Running", "podIP": None, "containerStatuses": [{"name": "notebook", "state": state}]}


@pytest.fixture
async def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    cluster = FakeCluster()
    for kind in ("pods", "events"):
        monkeypatch.setitem(GPUKubeSpawner.reflectors, (kind, "lab"), cluster.seen)
    return cluster


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The tickets of servers that the pool was told were stopped."""
    tickets: list[str] = []

    async def stopped(claim: Claim, user: str, name: str, ticket: str) -> None:
        tickets.append(ticket)

    monkeypatch.setattr(Claim, "report_stopped", stopped)
    yield tickets


@pytest.fixture
async def up(cluster: FakeCluster, tmp_path: Path) -> GPUKubeSpawner:
    """A server with a lease that is up."""
    spawner = cluster.spawner(pod_spawner(tmp_path))
    options = spawner.asking.parse({"project": "vision", "profile": "whole", "hours": 4})
    spawner.plan(options, lease("whole"))
    cluster.status = runs()
    await cluster.create_namespaced_pod("lab", await spawner.get_pod_manifest())
    spawner.add_poll_callback(print)
    return spawner


async def test_stop_leaves_a_server_its_grace_and_ends_the_lease(
    cluster: FakeCluster, up: GPUKubeSpawner, told: list[str]
):
    up.start_timeout = 0  # it bounds starts alone
    await up.stop()
    assert (cluster.graces, cluster.pods, told) == ([120], {}, ["ticket-whole"])


async def test_lease_ends_also_where_the_pod_does_not_go(
    cluster: FakeCluster, up: GPUKubeSpawner, told: list[str], monkeypatch: pytest.MonkeyPatch
):
    cluster.ends_pods = False
    monkeypatch.setattr("gpuspawner.pod_end._MARGIN_SECONDS", -119.9)  # of the 120 that a server has
    for _ in range(2):  # what is no longer up has no lease to end
        with pytest.raises(asyncio.TimeoutError, match="is not gone"):
            await up.stop()
        assert told == ["ticket-whole"]
    assert POD in cluster.pods


async def test_hub_that_has_stored_nothing_of_a_server_knows_its_ticket(
    cluster: FakeCluster, up: GPUKubeSpawner, told: list[str], tmp_path: Path
):
    taken_up = cluster.spawner(pod_spawner(tmp_path))
    taken_up.load_state({})
    taken_up.add_poll_callback(print)
    assert await taken_up.poll() is None
    await taken_up.stop()
    assert told == ["ticket-whole"]


@pytest.mark.parametrize(("hours_ago", "is_there"), [(3, True), (5, False)])
async def test_hours_of_a_cpu_server_count_from_its_start_whatever_the_hub_has_stored(
    cluster: FakeCluster, tmp_path: Path, hours_ago: int, is_there: bool
):
    spawner = cluster.spawner(pod_spawner(tmp_path))
    spawner.plan(spawner.asking.parse({"project": "vision", "profile": "cpu", "hours": 4}), None)
    cluster.status = runs(hours_ago)
    await cluster.create_namespaced_pod("lab", await spawner.get_pod_manifest())
    taken_up = cluster.spawner(pod_spawner(tmp_path))
    taken_up.add_poll_callback(print)
    await taken_up.poll_and_notify()
    assert (POD in cluster.pods) is is_there
