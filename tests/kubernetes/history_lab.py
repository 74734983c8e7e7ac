"""The part of a cluster in which histories are played, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labpool.settings import PoolFile, load_pool_file

from tests.kubernetes.agreement import InCluster
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fake_nodes import FLAVOUR_LABEL, FOREIGN
from tests.kubernetes.kube_lab import pool_yaml_of
from tests.kubernetes.namespaces import make_namespace
from tests.kubernetes.queues import Queues

_GPUS = (3, 2)


def pool_yaml(engine: str, namespace: str) -> str:
    """The projects, profiles and limits of the histories in memory, on machines that are this lab's alone."""
    profiles = {
        f"big-{gpus}-interactive": {"title": f"{gpus} GPUs", "flavour": "big", "gpus": gpus}
        | {"cpu": 1, "memory_gib": 1, "max_hours": 6, "max_total_hours": 12}
        for gpus in (1, 2, 3)
    }
    projects = {"vision": (2, 1), "speech": (2, 3)}
    return pool_yaml_of(
        engine,
        namespace,
        flavours={"big": {"title": "Big", "gpu_memory_gib": 80, "node_labels": {FLAVOUR_LABEL: namespace}}},
        limits={"user": {"gpus": 3, "servers": 5, "queued": 8}},
        profiles=profiles,
        projects={
            name: {
                "title": name,
                "members": {"everyone": True},
                "nominal": {"big": own},
                "borrow": {"big": more},
                "lend": {"big": own},
                "profiles": [*profiles],
                **({"budget": {"gpu_hours": 12, "per": "day"}} if name == "speech" else {}),
            }
            for name, (own, more) in projects.items()
        },
        queue={"placement_minutes": 0.05},
    )


@dataclass(frozen=True)
class HistoryLab:
    """The part of the cluster that one history has for itself: a namespace, two nodes, and Kueue's queues."""

    cluster: Cluster
    engine: str
    namespace: str
    file: PoolFile
    queues: Queues

    @property
    def pool_id(self) -> str:
        """What its pods bear."""
        return self.namespace

    @property
    def nodes(self) -> list[str]:
        """Its nodes, whether they are there or not."""
        return [f"{self.namespace}-{gpus}-1" for gpus in _GPUS]

    def add_nodes(self) -> None:
        """Let all its nodes be there."""
        there = set(self.cluster.nodes.names())
        for node, gpus in zip(self.nodes, _GPUS, strict=True):
            if node not in there:
                self.cluster.nodes.add(1, gpus, product=self.namespace, prefix=node.removesuffix("-1"))

    def found(self) -> InCluster:
        """What is there of its pool."""
        return InCluster.of(self.cluster, self.namespace, self.engine, self.pool_id)


@contextmanager
def lab_of(cluster: Cluster, engine: str, namespace: str, folder: Path) -> Iterator[HistoryLab]:
    """A part of the cluster for one history after another, which leaves nothing there."""
    (folder / "pool.yaml").write_text(pool_yaml(engine, namespace), encoding="utf-8")
    queues = Queues(cluster, namespace, folder)
    lab = HistoryLab(cluster, engine, namespace, load_pool_file(folder / "pool.yaml"), queues)
    for name in (namespace, FOREIGN):
        make_namespace(cluster.api, name)
    lab.add_nodes()
    yield lab
    if engine == "kueue":
        queues.remove()
    for node in lab.nodes:
        cluster.nodes.remove(node)
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")
