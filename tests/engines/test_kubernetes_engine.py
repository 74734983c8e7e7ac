"""The engine for a cluster without Kueue, before an API server in memory that a test writes and takes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import cast

import pytest
from labpool.cluster import ClusterApi, ClusterUnavailable, Followed, Kind, following
from labpool.cluster.nodes import node_of
from labpool.domain.inventory import Condition
from labpool.engines import kubernetes
from labpool.engines.cluster import servers
from labpool.engines.cluster.servers import ServerPods
from labpool.engines.cluster.trials import REASON
from labpool.engines.kubernetes import KubernetesEngine
from labpool.settings import load_pool_file

from tests.engines.cluster_parts import GPU, lease

Object = Mapping[str, object]
POOL_YAML = """
engine: kubernetes
kubernetes: {namespace: lab}
flavours: {a100: {title: A100, gpu_memory_gib: 80}}
profiles: {gpu: {title: One GPU, flavour: a100, gpus: 1, cpu: 1, memory_gib: 1, max_hours: 8}}
projects: {vision: {title: Vision, members: {everyone: true}, nominal: {a100: 2}, profiles: [gpu]}}
"""


def node(name: str) -> Object:
    allocatable = {"cpu": "8", "memory": "64Gi", GPU: "2"}
    conditions = [{"type": "Ready", "status": "True"}]
    metadata = {"name": name, "labels": {"kubernetes.io/os": "linux"}}
    return {"metadata": metadata, "status": {"allocatable": allocatable, "conditions": conditions}}


def pod(name: str, on: str, ticket: str) -> Object:
    container = {"resources": {"requests": {GPU: "1"}}}
    metadata = {
        "name": name,
        "namespace": "lab",
        "uid": f"uid-of-{name}",
        "labels": {"labpool/pool": "p1"},
        "annotations": {"labpool/ticket": ticket},
    }
    return {"metadata": metadata, "spec": {"nodeName": on, "containers": [container]}}


class ClusterInMemory:
    """As much of an API server as the engine asks of one. It has no watches that tell anything: all is listed anew."""

    namespace = "default"

    def __init__(self) -> None:
        self.nodes, self.pods = [node("n1"), node("n2")], list[Object]()
        self.deleted: dict[str, object] = {}
        self.answers = True

    async def list_as_of(self, path: str, chosen: Mapping[str, str]) -> tuple[list[Object], str]:
        self._check_answers()
        if path == "/api/v1/nodes":
            return list(self.nodes), "1"
        assert path == "/api/v1/pods" or chosen["labelSelector"] == "labpool/pool=p1"
        return list(self.pods), "1"

    async def watch(self, path: str, parameters: Mapping[str, str], seconds: float) -> AsyncIterator[Object]:
        self._check_answers()
        await asyncio.sleep(0.01)
        yield {"type": "ERROR", "object": {"code": 410}}

    async def delete(self, path: str, what: str, *, options: Object) -> bool:
        self._check_answers()
        name = path.rpartition("/")[2]
        self.deleted[name] = options
        self.pods = [each for each in self.pods if each["metadata"]["name"] != name]  # type: ignore[index]
        return True

    def _check_answers(self) -> None:
        if not self.answers:
            raise ClusterUnavailable("it is away")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> ClusterInMemory:
    monkeypatch.setattr(following, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(following, "_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(following, "_TROUBLE_SECONDS", 0.0)
    return ClusterInMemory()


@pytest.fixture
async def engine(cluster: ClusterInMemory, tmp_path: Path) -> AsyncIterator[KubernetesEngine]:
    (tmp_path / "pool.yaml").write_text(POOL_YAML)
    file = load_pool_file(tmp_path / "pool.yaml")
    made = KubernetesEngine(cluster, lambda: file, "p1")  # type: ignore[arg-type]
    made._begin()
    yield made
    await made.close()


async def until(engine: KubernetesEngine, pods: int) -> None:
    async def poll() -> None:
        while sum(map(len, (await engine.processes()).values())) != pods:
            await asyncio.sleep(0.005)

    await asyncio.wait_for(poll(), 10)


async def withheld(engine: KubernetesEngine, *tickets: str) -> dict[str, str]:
    """What is withheld while each ticket has a lease of the first device of n1."""
    inventory = await engine.inventory([lease(ticket, "n1/a100/0") for ticket in tickets])
    return dict(inventory.withheld)


async def test_server_is_asked_with_the_grace_of_its_pod_and_killed_with_a_second(
    cluster: ClusterInMemory, engine: KubernetesEngine
):
    cluster.pods = [pod("train", "n1", "t1"), pod("other", "n2", "t2")]
    await until(engine, 2)
    assert await engine.terminate("t1") == ("train",)
    assert cluster.deleted == {"train": {"preconditions": {"uid": "uid-of-train"}}}
    assert await engine.kill("t2") == ()
    assert cluster.deleted["other"] == {"preconditions": {"uid": "uid-of-other"}, "gracePeriodSeconds": 1}
    assert await engine.kill("t2") == await engine.terminate("t2") == ()


async def test_pod_that_goes_is_told_at_once_and_one_that_comes_when_its_server_may_be_up(
    cluster: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
):
    told = list[int]()
    api = cast(ClusterApi, cluster)
    nodes = Followed(api, Kind("nodes", "/api/v1/nodes", node_of))
    pods = ServerPods(api, "lab", "p1", nodes, lambda: told.append(len(pods.followed.objects)))

    async def until_there(number: int) -> None:
        assert await pods.followed.until(lambda: len(pods.followed.objects) == number, 10)
        await asyncio.sleep(0)

    monkeypatch.setattr(servers, "_TIME_TO_START", 3600.0)
    pods.followed.begin()
    for number in (1, 2):
        cluster.pods.append(pod(f"train-{number}", "n1", f"t{number}"))
        await until_there(number)
    assert told == []
    del cluster.pods[0]
    await until_there(1)
    assert told == [1]
    await pods.followed.close()


async def test_new_pod_is_told_in_the_end(cluster: ClusterInMemory, monkeypatch: pytest.MonkeyPatch):
    told = asyncio.Event()
    api = cast(ClusterApi, cluster)
    nodes = Followed(api, Kind("nodes", "/api/v1/nodes", node_of))
    pods = ServerPods(api, "lab", "p1", nodes, told.set)
    monkeypatch.setattr(servers, "_TIME_TO_START", 0.01)
    cluster.pods.append(pod("train", "n1", "t1"))
    pods.followed.begin()
    await asyncio.wait_for(told.wait(), 10)
    await pods.followed.close()


async def test_server_of_a_node_that_is_gone_is_forgotten_at_once(cluster: ClusterInMemory, engine: KubernetesEngine):
    cluster.pods = [pod("train", "n9", "t1"), pod("other", "n1", "t2")]
    await until(engine, 1)
    assert await engine.kill("t1") == ()
    assert cluster.deleted["train"] == {"preconditions": {"uid": "uid-of-train"}, "gracePeriodSeconds": 0}


async def test_pod_of_a_lost_lease_is_forgotten_where_its_node_is_not_heard_of(
    cluster: ClusterInMemory, engine: KubernetesEngine
):
    silent = node("n1")
    silent["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]  # type: ignore[index]
    cluster.nodes = [silent, node("n2")]
    cluster.pods = [pod("train", "n1", "t1"), pod("other", "n2", "t2")]
    await until(engine, 1)
    await engine.forget("t1")
    await engine.forget("t2")
    assert cluster.deleted == {"train": {"preconditions": {"uid": "uid-of-train"}, "gracePeriodSeconds": 0}}


async def test_server_that_does_not_go_is_named(
    cluster: ClusterInMemory, engine: KubernetesEngine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("labpool.engines.cluster.servers._KILL_SECONDS", 0.05)
    cluster.pods = [pod("train", "n1", "t1")]
    await until(engine, 1)
    cluster.answers = False
    assert await engine.terminate("t1") == ()
    assert await engine.kill("t1") == await engine.give_up(lease("t1", "n1/a100/0")) == ("train",)


async def test_free_devices_are_withheld_once_the_cluster_was_away_for_long(
    cluster: ClusterInMemory, engine: KubernetesEngine, monkeypatch: pytest.MonkeyPatch
):
    assert await withheld(engine, "t1") == {}
    cluster.answers = False

    async def trouble() -> None:
        while not engine.trouble:
            await asyncio.sleep(0.005)

    await asyncio.wait_for(trouble(), 10)
    assert await withheld(engine, "t1") == {}
    monkeypatch.setattr(kubernetes, "_SILENCE_SECONDS", 0.0)
    why = "The cluster gives no answer."
    assert await withheld(engine, "t1") == {"n1/a100/1": why, "n2/a100/0": why, "n2/a100/1": why}


async def test_node_without_room_gives_nothing_out_until_later(cluster: ClusterInMemory, engine: KubernetesEngine):
    held = lease("t1", "n1/a100/0")
    assert await withheld(engine, "t1") == {}
    await engine.give_up(held)
    assert await withheld(engine) == {"n1/a100/0": REASON, "n1/a100/1": REASON}


async def test_node_that_cannot_be_read_loses_no_lease_and_offers_nothing_else(
    cluster: ClusterInMemory, engine: KubernetesEngine
):
    cluster.nodes = [{**node("n3"), "status": {"allocatable": {GPU: "2", "cpu": "a lot"}}}]
    held = lease("t1", "n3/a100/0")

    async def listed() -> None:
        while {each.node for each in (await engine.inventory([held])).devices} != {"n3"}:
            await asyncio.sleep(0.005)

    await asyncio.wait_for(listed(), 10)
    inventory = await engine.inventory([held])
    assert (inventory.lost, [device.id for device in inventory.devices]) == ({}, ["n3/a100/0"])


async def test_node_that_vanishes_is_known_as_failed_since_then(cluster: ClusterInMemory, engine: KubernetesEngine):
    held = lease("t1", "n1/a100/0")
    assert (await engine.inventory([held])).lost == {}
    cluster.nodes = [node("n2")]

    async def gone() -> None:
        while not (await engine.inventory([held])).lost:
            await asyncio.sleep(0.005)

    await asyncio.wait_for(gone(), 10)
    first = (await engine.inventory([held])).lost["n1/a100/0"]
    again = (await engine.inventory([held])).lost["n1/a100/0"]
    assert (first.condition, first.since) == (Condition.FAILED, again.since)
    assert first.since is not None
