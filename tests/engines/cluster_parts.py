"""Nodes, pods and leases for tests of what engines make of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from labpool.cluster.nodes import NodeOffer
from labpool.cluster.pods import SeenPod
from labpool.domain.leases import Lease
from labpool.engines.cluster import ClusterView
from labpool.settings import FlavourOnNodes

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
GPU, MIG = "nvidia.com/gpu", "nvidia.com/mig-1g.10gb"
GIB = 2**30 * 1000
LABELS = {"kubernetes.io/os": "linux", "card": "a100"}
A100 = FlavourOnNodes(node_labels={"card": "a100"})


def node(name: str = "n1", gpus: int = 4, **more: object) -> NodeOffer:
    """A node with GPUs, 64 cores and 512 GiB."""
    allocatable = {"cpu": 64_000, "memory": 512 * GIB, GPU: 1000 * gpus}
    fields: dict[str, object] = {"labels": LABELS, "allocatable": allocatable, **more}
    return NodeOffer(name, **fields)  # type: ignore[arg-type]


def pod(name: str, gpus: int = 0, on: str = "n1", ticket: str = "", **more: object) -> SeenPod:
    """A pod; one with a ticket is a server of the pool."""
    where = {"namespace": "lab", "pool": "p1", "ticket": ticket} if ticket else {"namespace": "other"}
    fields: dict[str, object] = {**where, "takes": {GPU: 1000 * gpus, "cpu": 2000, "memory": 8 * GIB}, **more}
    return SeenPod(name=name, uid=f"uid-of-{name}", node=on, **fields)  # type: ignore[arg-type]


def lease(ticket: str, *devices: str) -> Lease:
    """A live lease of these devices."""
    return Lease(ticket, "ada", "", "vision", "a100", devices, NOW, NOW + timedelta(hours=1))


def view(
    nodes: tuple[NodeOffer, ...],
    pods: tuple[SeenPod, ...] = (),
    flavours: Mapping[str, FlavourOnNodes] | None = None,
    **more: object,
) -> ClusterView:
    """The cluster, where nothing else is said with one flavour."""
    return ClusterView(nodes, pods, flavours or {"a100": A100}, "p1", "lab", **more)  # type: ignore[arg-type]
