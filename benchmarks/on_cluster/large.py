"""How long does the next one wait after a release, with 1,000 nodes, 8,000 GPUs and 5,000 tickets?

Each node is leased as a whole, and all others wait for one, in 20 projects that have as many nodes each. They were
written into the pool's store before it starts; from there on everything goes its usual way, but for the hub (hub.py).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random

from labpool.domain.tickets import Ticket
from labpool.store import AuditEntry, Store, connect, migrate

from benchmarks.on_cluster.hub import PodHub
from benchmarks.on_cluster.labs import ENGINES
from benchmarks.on_cluster.workload_times import WorkloadTimes
from benchmarks.serving.lines import percentile, tell
from benchmarks.serving.places import started
from tests.kubernetes.client import Administrator
from tests.kubernetes.cluster import Cluster, running_cluster
from tests.kubernetes.fake_nodes import A100, FLAVOUR_LABEL
from tests.kubernetes.kube_lab import pool_yaml_of
from tests.kubernetes.namespaces import make_namespace
from tests.ports import free_ports
from tests.real_hub import wait_until
from tests.service.pool_process import PoolProcess

AIM_SECONDS = 3.0
GPUS, PROJECTS, USERS = 8, 20, 500
_FILLED_WITHIN, _NEXT_WITHIN = 900, 60


@dataclass(frozen=True)
class LargeSize:
    """How large. `tickets` are all: one for each node holds it, the others wait."""

    nodes: int = 1_000
    tickets: int = 5_000
    releases: int = 30


async def measure_large(folder: Path, size: LargeSize, engines: tuple[str, ...] = ENGINES) -> None:
    """From a release to the next start, and memory, with each engine."""
    with running_cluster(size.nodes, GPUS) as cluster:
        _say(f"{size.nodes:,} nodes are ready")
        for engine in engines:
            await asyncio.to_thread(_measure, cluster, folder, size, engine)


def _measure(cluster: Cluster, folder: Path, size: LargeSize, engine: str) -> None:
    namespace, administrator = f"large-{engine}", Administrator(cluster.layout.url, cluster.layout.pki)
    make_namespace(cluster.api, namespace)
    hub, times = PodHub(administrator, namespace), WorkloadTimes()
    with ExitStack() as stack:
        stack.enter_context(hub.running())
        stack.enter_context(times.followed(administrator, namespace))
        hub.pool = stack.enter_context(_pool(cluster, folder / engine, namespace, size, hub))
        _fill(hub, cluster, namespace, size, engine)
        random = Random(1)
        # the first one finds a pool that is still busy with all that came before
        found = [_release(hub, times, random) for _ in range(size.releases + 1)][1:]
        memory = _memory_mib(hub.pool.process.pid)
        at = f"{size.nodes:,} nodes, {size.nodes * GPUS:,} GPUs and {size.tickets:,} tickets, engine {engine}"
        _tell(found, memory, at, engine)
    _clear(cluster, namespace)


@dataclass(frozen=True)
class Released:
    """Seconds from a release to the next start, and of that Kueue's own; the rest is the pool's, before and after."""

    seconds: float
    kueue: float


def _release(hub: PodHub, times: WorkloadTimes, random: Random) -> Released:
    up, before = len(hub.holders), len(hub.started)
    ticket = random.choice(sorted(hub.holders))
    at = hub.release(ticket)
    hub.until_up(up, _NEXT_WITHIN)
    started_at, following = hub.started[before]
    kueue = times.admitted[following] - times.finished[ticket] if following in times.admitted else 0.0
    return Released(started_at - at, kueue)


def _tell(found: list[Released], memory: float, at: str, engine: str) -> None:
    seconds = [each.seconds for each in found]
    name = "kubernetes: from a release to the next start"
    tell(f"{name}, p50, {at}", "s", percentile(seconds, 0.5), seconds)
    tell(f"{name}, p99, {at}", "s", percentile(seconds, 0.99), seconds, AIM_SECONDS)
    if engine == "kueue":
        kueue = [each.kueue for each in found]
        tell(f"{name}, Kueue's own part, p50, {at}", "s", percentile(kueue, 0.5), kueue)
        tell(f"{name}, Kueue's own part, p99, {at}", "s", percentile(kueue, 0.99), kueue)
    tell(f"kubernetes: memory of the pool, {at}", "MiB", memory, [memory])


@contextmanager
def _pool(cluster: Cluster, folder: Path, namespace: str, size: LargeSize, hub: PodHub) -> Iterator[PoolProcess]:
    folder.mkdir()
    engine = namespace.removeprefix("large-")
    url = f"sqlite:///{folder}/pool.sqlite"
    _write_tickets(url, size.tickets)
    environ = {"KUBECONFIG": str(cluster.kubeconfig)}
    rules = _pool_yaml(engine, namespace, size.nodes)
    (port,) = free_ports(1)
    with started(PoolProcess(folder, port, url, hub.api_url, pool_yaml=rules, environ=environ)) as pool:
        yield pool


def _write_tickets(url: str, tickets: int) -> None:
    engine = connect(url)
    migrate(engine)
    store = Store(engine)
    now = datetime.now(timezone.utc)
    with store.transaction() as change:
        for number in range(tickets):
            asked = now - timedelta(seconds=tickets - number)
            who = (f"t{number:05}", f"u{number % USERS}", frozenset[str](), f"s{number}", f"p{number % PROJECTS}")
            change.save_ticket(Ticket(*who, "whole", "a100", GPUS, timedelta(hours=8), asked))
            change.audit(AuditEntry(asked, who[1], "filed", who[0], "queued, attempt 1"))
    store.close()


def _pool_yaml(engine: str, namespace: str, nodes: int) -> str:
    whole = {"flavour": "a100", "gpus": GPUS, "cpu": 1, "memory_gib": 1, "max_hours": 8}
    project = {"members": {"everyone": True}, "nominal": {"a100": nodes * GPUS // PROJECTS}, "profiles": ["whole"]}
    return pool_yaml_of(
        engine,
        namespace,
        flavours={"a100": {"title": "A100", "gpu_memory_gib": 80, "node_labels": {FLAVOUR_LABEL: A100}}},
        limits={"user": {"gpus": 1024, "servers": 100, "queued": 1000}},
        profiles={"whole": {"title": "A whole node", **whole}},
        projects={f"p{number}": {"title": f"Project {number}", **project} for number in range(PROJECTS)},
        queue={"claim_minutes": 600},  # nobody uses these servers, and none is taken back
    )


def _fill(hub: PodHub, cluster: Cluster, namespace: str, size: LargeSize, engine: str) -> None:
    began = time.monotonic()
    hub.until_up(size.nodes, _FILLED_WITHIN)
    if engine == "kueue":
        wait_until(lambda: _workloads(cluster, namespace) == size.tickets, "a Workload of all", _FILLED_WITHIN)
    _say(f"engine {engine}: all nodes are leased after {time.monotonic() - began:.0f} s")


def _workloads(cluster: Cluster, namespace: str) -> int:
    path = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{namespace}/workloads"
    answer = cluster.api.get(path, params={"limit": "1"}).raise_for_status().json()
    return len(answer["items"]) + int(answer["metadata"].get("remainingItemCount", 0))


def _memory_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (kib,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(kib) / 1024


def _clear(cluster: Cluster, namespace: str) -> None:
    """Let the next engine have the nodes."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    cluster.api.request("DELETE", path, json={"gracePeriodSeconds": 0}, timeout=120).raise_for_status()


def _say(what: str) -> None:
    print(f"large: {what}", file=sys.stderr, flush=True)
