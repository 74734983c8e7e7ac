"""Stops and failed starts of pods: what is left of the pod, and what the pool hears of the lease."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from gpuspawner.claim import Claim
from gpuspawner.hub_errors import NotStarted
from gpuspawner.kubernetes import GPUKubeSpawner

from tests.gpuspawner.fake_cluster import POD, FakeCluster, wanted
from tests.gpuspawner.pods import NOW, lease, pod_spawner

pytestmark = pytest.mark.usefixtures("no_cluster")


def runs(hours: float = 1) -> dict[str, object]:
    """The status of a pod that has run for some hours."""
    began = (datetime.now(timezone.utc) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    state = {"running": {"startedAt": began}}
    return {"phase": "Running", "podIP": None, "containerStatuses": [{"name": "notebook", "state": state}]}


def beside(sidecar: dict[str, object], phase: str) -> dict[str, object]:
    """The status of a pod whose server has used too much memory, and what its second container does."""
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    states = {"sidecar": sidecar, "notebook": ended}
    statuses = [{"name": name, "state": state} for name, state in states.items()]
    return {"phase": phase, "podIP": None, "containerStatuses": statuses}


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

    async def stopped(claim: Claim, user: str, name: str, ticket: str, granted_at: str) -> None:
        assert granted_at == NOW.isoformat()
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


async def until_pod_is_there(cluster: FakeCluster) -> None:
    for _ in range(3000):
        if cluster.pods:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the start made no pod")


async def test_start_that_is_not_ready_in_time_leaves_nothing_and_ends_no_lease(
    cluster: FakeCluster, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
):
    spawner = cluster.spawner(wanted(pod_spawner(tmp_path), "whole", monkeypatch))
    spawner.plan(spawner.asking.parse(spawner.user_options), lease("whole"))
    for seconds in (0.5, 2, 8, 32):  # long enough for a slow machine to make its pod
        with pytest.raises(NotStarted, match="not ready in time"):
            await spawner.bring_up(seconds)
        if cluster.made:
            break
    assert (len(cluster.made), cluster.pods) == (1, {})
    assert await spawner.poll() == 1  # so the hub has nothing to stop
    assert told == []


async def test_start_that_is_in_vain_leaves_nothing(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    spawner = cluster.spawner(wanted(pod_spawner(tmp_path), "whole", monkeypatch))
    cluster.status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    with pytest.raises(NotStarted, match="ran short of memory"):
        await spawner.start()
    assert (len(cluster.made), cluster.pods) == (1, {})


async def test_failed_start_says_why_in_time_and_the_hub_goes_on_with_what_is_left(
    cluster: FakeCluster, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gpuspawner.pod_spawner._LONGEST_TIDYING", 0.1)
    spawner = cluster.spawner(wanted(pod_spawner(tmp_path), "whole", monkeypatch))
    spawner._spawn_future = asyncio.get_running_loop().create_future()
    cluster.status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    cluster.ends_pods = False
    with pytest.raises(NotStarted, match="ran short of memory"):
        await spawner.start()
    cluster.ends_pods = True
    assert await spawner.poll() is None
    await spawner.stop()
    assert (cluster.pods, told) == ({}, [])


async def test_failure_that_nobody_thought_of_leaves_nothing_either(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    spawner = cluster.spawner(wanted(pod_spawner(tmp_path), "whole", monkeypatch))
    cluster.status = {**runs(), "podIP": "no address"}
    cluster.status["containerStatuses"] = [{"name": "notebook", "ready": True, "state": {"running": {}}}]
    with pytest.raises(ValueError, match="no address"):
        await spawner.start()
    assert (len(cluster.made), cluster.pods) == (1, {})


async def test_start_that_the_hub_breaks_off_leaves_nothing_and_ends_no_lease(
    cluster: FakeCluster, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
):
    spawner = cluster.spawner(wanted(pod_spawner(tmp_path), "whole", monkeypatch))
    spawner._spawn_future = asyncio.get_running_loop().create_future()  # as long as the hub's spawn is under way
    starting = asyncio.ensure_future(spawner.start())
    await until_pod_is_there(cluster)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(starting, 0.1)
    assert await spawner.poll() is None  # else the hub would not stop it
    await spawner.stop()
    assert (len(cluster.made), cluster.pods, told) == (1, {}, [])
    assert await spawner.poll() == 1


@pytest.mark.parametrize("is_there", [True, False])
async def test_person_who_stops_a_server_that_still_starts_ends_its_lease(
    cluster: FakeCluster, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch, is_there: bool
):
    spawner = cluster.spawner(wanted(pod_spawner(tmp_path), "whole", monkeypatch))
    starting = asyncio.ensure_future(spawner.start())
    await until_pod_is_there(cluster)
    if not is_there:
        cluster.pods.clear()  # as when the cluster has not told of it yet
    starting.cancel()
    await asyncio.wait([starting])
    assert await spawner.poll() is None
    await spawner.stop()
    assert (cluster.pods, told, len(cluster.graces)) == ({}, ["ticket-whole"], 1)


async def test_person_who_stops_a_server_that_does_not_answer_yet_ends_its_lease(
    cluster: FakeCluster, up: GPUKubeSpawner, told: list[str]
):
    up._is_up = False  # the hub waits for its first answer
    await up.stop()
    assert told == ["ticket-whole"]


@pytest.mark.parametrize(
    ("sidecar", "phase"),
    [({"running": {}}, "Running"), ({"waiting": {"reason": "ImagePullBackOff"}}, "Pending")],
)
async def test_server_is_over_whatever_a_sidecar_does(
    cluster: FakeCluster,
    up: GPUKubeSpawner,
    told: list[str],
    caplog: pytest.LogCaptureFixture,
    sidecar: dict[str, object],
    phase: str,
):
    up.log.propagate = True
    cluster.pods[POD]["status"] = beside(sidecar, phase)
    assert await up.poll() == 137
    assert (cluster.pods, told) == ({}, [])
    assert "used more memory than its profile has" in caplog.text


async def test_server_beside_which_a_sidecar_died_goes_on(cluster: FakeCluster, up: GPUKubeSpawner):
    status = beside({"terminated": {"exitCode": 1}}, "Running")
    status["containerStatuses"][1]["state"] = {"running": {}}  # type: ignore[index]
    cluster.pods[POD]["status"] = status
    assert await up.poll() is None


async def test_dead_server_is_over_also_where_its_pod_does_not_go(
    cluster: FakeCluster, up: GPUKubeSpawner, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gpuspawner.pod_end._MARGIN_SECONDS", -0.9)
    cluster.ends_pods = False
    cluster.pods[POD]["status"] = beside({"running": {}}, "Running")
    assert await up.poll() == 137


async def test_evicted_server_whose_containers_never_ran_is_over(cluster: FakeCluster, up: GPUKubeSpawner):
    states = [{"name": "notebook", "state": {"waiting": {"reason": "ContainerCreating"}}}]
    cluster.pods[POD]["status"] = {"phase": "Failed", "reason": "Evicted", "containerStatuses": states}
    assert await up.poll() == 1
