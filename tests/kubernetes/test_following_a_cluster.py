"""The engine for a cluster without Kueue on a real API server: what it may, what it sees, and what it outlives."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from labpool.cli.doctor_cluster import cluster_findings
from labpool.domain.inventory import Condition, Inventory, Node
from labpool.domain.leases import Lease
from labpool.engines.kubernetes import KubernetesEngine
from labpool.settings import PoolFile, load_pool_file

from tests.kubernetes.accounts import documented_roles, pool_account
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fake_nodes import FLAVOUR_LABEL, GPU
from tests.kubernetes.pods import pod, run
from tests.kubernetes.test_pods import STUBBORN, wait_until_deaf
from tests.waits import eventually

pytestmark = pytest.mark.kubernetes

Manifest = dict[str, Any]
PRODUCT, POOL_ID = "A-CARD-NOBODY-ELSE-HAS", "pool-of-this-test"
POOL_YAML = f"""
engine: kubernetes
kubernetes: {{namespace: NAMESPACE}}
flavours: {{card: {{title: Card, gpu_memory_gib: 16, node_labels: {{{FLAVOUR_LABEL}: {PRODUCT}}}}}}}
profiles: {{gpu: {{title: One GPU, flavour: card, gpus: 1, cpu: 1, memory_gib: 1, max_hours: 8}}}}
projects: {{vision: {{title: Vision, members: {{everyone: true}}, nominal: {{card: 2}}, profiles: [gpu]}}}}
"""


@pytest.fixture
def pool_file(namespace: str, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PoolFile:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    path = tmp_path / "pool.yaml"
    path.write_text(POOL_YAML.replace("NAMESPACE", namespace), encoding="utf-8")
    return load_pool_file(path)


@asynccontextmanager
async def following(pool_file: PoolFile) -> AsyncIterator[KubernetesEngine]:
    engine = await KubernetesEngine.began(lambda: pool_file, POOL_ID)
    try:
        yield engine
    finally:
        await engine.close()


async def seen(engine: KubernetesEngine, condition: Callable[[Inventory], bool], *leases: Lease) -> Inventory:
    """The inventory, once it is as expected."""
    for _ in range(600):
        found = await engine.inventory(leases)
        if condition(found):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"not so within a minute: {found}")


def server(name: str, namespace: str, ticket: str, node: str, command: list[str]) -> Manifest:
    made: Manifest = pod(name, namespace, command, gpus=1)
    made["metadata"] |= {"labels": {"labpool/pool": POOL_ID}, "annotations": {"labpool/ticket": ticket}}
    made["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
    return made


def own_node(cluster: Cluster, name: str) -> None:
    """A node for which nobody answers, so that a test says how it stands."""
    resources = {"cpu": "8", "memory": "32Gi", "pods": "10", GPU: "2"}
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name, FLAVOUR_LABEL: PRODUCT}
    status = {"allocatable": resources, "capacity": resources}
    made = {"metadata": {"name": name, "labels": labels}, "status": status}
    cluster.api.post("/api/v1/nodes", json=made).raise_for_status()


def condition_of(found: Inventory, name: str) -> Condition | None:
    node: Node | None = next((each for each in found.nodes if each.name == name), None)
    return node.condition if node else None


def lease(*devices: str) -> Lease:
    now = datetime.now(timezone.utc)
    return Lease("t1", "ada", "", "vision", "card", devices, now, now + timedelta(hours=1))


async def test_documented_role_is_enough_and_what_is_missing_is_named(
    cluster: Cluster, namespace: str, pool_file: PoolFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    account = await asyncio.to_thread(pool_account, cluster, namespace, tmp_path / "kubeconfig")
    (node,) = await asyncio.to_thread(cluster.nodes.add, 1, 2, PRODUCT, 0, "role")
    monkeypatch.setenv("KUBECONFIG", str(account))
    async with following(pool_file) as engine:
        await eventually(lambda: engine.trouble is not None, "the refusal")
        assert 'Add the verb "list" for the resource "' in str(engine.trouble)
        await asyncio.to_thread(cluster.apply, documented_roles("labpool-nodes", namespace))
        assert len((await seen(engine, lambda found: len(found.devices) == 2)).nodes) == 1
        await asyncio.to_thread(run, cluster, server("ours", namespace, "t1", node, ["sleep", "600"]))
        await eventually(lambda: "t1" in engine_tickets(engine), "the server in sight")
        assert await engine.terminate("t1") == ("ours",)
        assert await engine.kill("t1") == ()
        await eventually(lambda: engine.trouble is None, "the end of the trouble")
    findings = await asyncio.to_thread(lambda: list(cluster_findings(pool_file)))
    assert [(each.name, each.verdict.value) for each in findings] == [("cluster", "ok"), ("quota", "ok")]
    cluster.kubectl("delete", "clusterrole,clusterrolebinding", "labpool-nodes")
    cluster.nodes.remove(node)


def engine_tickets(engine: KubernetesEngine) -> set[str]:
    return {pod.ticket for pod in engine.servers.followed.objects.values()}


async def test_kill_ends_what_ignores_its_notice_and_returns_once_it_is_gone(
    cluster: Cluster, namespace: str, pool_file: PoolFile
):
    (node,) = await asyncio.to_thread(cluster.nodes.add, 1, 2, PRODUCT, 0, "kill")
    made = server("deaf", namespace, "t1", node, [sys.executable, "-c", STUBBORN])
    async with following(pool_file) as engine:
        await asyncio.to_thread(wait_until_deaf, cluster, await asyncio.to_thread(run, cluster, made))
        await eventually(lambda: "t1" in engine_tickets(engine), "the server in sight")
        assert await engine.processes() == {"t1": ("deaf",)}
        assert await engine.terminate("t1") == ("deaf",)
        assert await engine.kill("t1") == ()
        assert cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/deaf").status_code == 404
        assert await engine.terminate("t1") == ()
    cluster.nodes.remove(node)


async def test_api_server_that_was_away_is_followed_again_with_what_happened_meanwhile(
    cluster: Cluster, namespace: str, pool_file: PoolFile
):
    nodes = await asyncio.to_thread(cluster.nodes.add, 1, 2, PRODUCT, 0, "away")
    async with following(pool_file) as engine:
        before = await seen(engine, lambda found: len(found.devices) == 2)
        cluster.kill("kube-apiserver")
        cluster.kill("etcd")
        await eventually(lambda: engine.trouble is not None, "the trouble")
        assert (await engine.inventory(())).devices == before.devices
        assert await engine.terminate("t1") == await engine.kill("t1") == ()
        await asyncio.to_thread(cluster.start, "etcd")
        await asyncio.to_thread(cluster.start, "kube-apiserver")
        nodes += await asyncio.to_thread(cluster.nodes.add, 1, 4, PRODUCT, 0, "away")
        await seen(engine, lambda found: len(found.devices) == 6)
        await eventually(lambda: engine.trouble is None, "the end of the trouble")
    for node in nodes:
        cluster.nodes.remove(node)


async def test_silent_node_loses_its_devices_and_its_servers_from_sight_until_it_is_back(
    cluster: Cluster, namespace: str, pool_file: PoolFile
):
    own_node(cluster, "quiet")
    cluster.nodes.say_ready("quiet", "True")
    made = server("there", namespace, "t1", "quiet", [])
    made["spec"] |= {"nodeName": "quiet", "nodeSelector": {}}
    held = lease("quiet/card/0")
    async with following(pool_file) as engine:
        await seen(engine, lambda found: condition_of(found, "quiet") is Condition.SERVING, held)
        await asyncio.to_thread(cluster.apply, [made])
        await eventually(lambda: "t1" in engine_tickets(engine), "the server in sight")
        cluster.nodes.say_ready("quiet", "Unknown")
        silent = await seen(engine, lambda found: condition_of(found, "quiet") is Condition.SILENT, held)
        assert set(silent.lost) == {"quiet/card/0", "quiet/card/1"}
        assert await engine.processes() == {}
        cluster.nodes.say_ready("quiet", "True")
        await seen(engine, lambda found: condition_of(found, "quiet") is Condition.SERVING, held)
        assert await engine.processes() == {"t1": ("there",)}
        cluster.nodes.remove("quiet")
        failed = await seen(engine, lambda found: condition_of(found, "quiet") is Condition.FAILED, held)
        assert set(failed.lost) == {"quiet/card/0"}
        await seen(engine, lambda found: condition_of(found, "quiet") is None)
        assert await engine.kill("t1") == ()
        assert cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/there").status_code == 404
