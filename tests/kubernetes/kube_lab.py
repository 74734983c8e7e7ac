"""A real hub outside the cluster, with a real pool, whose servers are pods in a namespace of their own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from labpool.api_models import TicketView

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.namespaces import make_namespace
from tests.running_lab import RunningLab

CLAIMS = ("projects", "datasets", "logs")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
HUB = """
from gpuspawner.kubernetes import GPUKubeSpawner
c.JupyterHub.spawner_class = GPUKubeSpawner
for trait in ("pool_url", "pool_token", "pool_id", "pool_file"):
    setattr(c.GPUKubeSpawner, trait, getattr(c.SimpleLocalGPUSpawner, trait))
c.GPUKubeSpawner.namespace = {namespace!r}
c.GPUKubeSpawner.start_timeout = 40
c.GPUKubeSpawner.pool_timeout = c.Spawner.http_timeout = 30
"""


@dataclass
class KubeLab:
    """The lab, and its namespace of the cluster."""

    lab: RunningLab
    cluster: Cluster
    namespace: str
    node: str

    def pods(self) -> list[dict[str, Any]]:
        """Those of researchers."""
        answer = self.cluster.kubectl("get", "pods", f"--namespace={self.namespace}", "--output=json")
        items: list[dict[str, Any]] = json.loads(answer)["items"]
        return items

    def ticket(self) -> TicketView:
        found = self.lab.ticket("ada")
        assert found is not None and found.lease is not None
        return found

    def start(self, options: object) -> dict[str, Any]:
        """Ada's default server; returns its pod."""
        assert self.lab.start_server("ada", options).status_code in {201, 202}
        self.lab.wait_ready("ada")
        (pod,) = self.pods()
        return pod


@contextmanager
def servers_namespace(cluster: Cluster, namespace: str) -> Iterator[None]:
    """A namespace that takes restricted pods only, with the claims that servers mount."""
    make_namespace(cluster.api, namespace, RESTRICTED)
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": name, "namespace": namespace},
                "spec": spec,
            }
            for name in CLAIMS
        ]
    )
    yield
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def profiles_of(flavour: str, sizes: Iterable[int]) -> dict[str, object]:
    """A profile for each number of GPUs, called like gpu-4, with little else so that only GPUs are short."""
    little = {"flavour": flavour, "cpu": 1, "memory_gib": 1, "max_hours": 8}
    return {f"gpu-{size}": {"title": f"{size} GPUs", "gpus": size, **little} for size in sizes}


def two_projects(**both: object) -> dict[str, object]:
    """Vision, of ada and olga, and Speech, of bert, which are the same but for that."""
    return {
        "vision": {"title": "Vision group", "members": {"groups": ["vision", "vision-owners"]}, **both},
        "speech": {"title": "Speech group", "members": {"groups": ["speech"]}, **both},
    }


def pool_yaml_of(engine: str, namespace: str, **sections: object) -> str:
    """A pool.yaml with these sections for a pool over a cluster; its cohort is called like the servers' namespace."""
    where = {"engine": engine, "kubernetes": {"namespace": namespace}, "kueue": {"cohort": namespace}}
    return json.dumps({**where, **sections})
