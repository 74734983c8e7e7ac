"""Pods for tests, and what the API server says of them."""

from __future__ import annotations

from typing import Any

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fake_nodes import GPU
from tests.real_hub import wait_until

Manifest = dict[str, Any]
SAFE: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""The security context of a container that a restricted namespace takes."""


def pod(name: str, namespace: str, command: list[str], gpus: int = 0, **container: object) -> Manifest:
    """A pod with one container that tolerates GPU nodes; `container` says more about the container."""
    limits = {"cpu": "1", "memory": "1Gi"} | ({GPU: str(gpus)} if gpus else {})
    only = {"name": "main", "image": "none", "command": command, "resources": {"limits": limits}, **container}
    spec = {"restartPolicy": "Never", "containers": [only], "tolerations": [{"key": GPU, "operator": "Exists"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def read(cluster: Cluster, made: Manifest) -> Manifest | None:
    """The pod as it is now, or None where it is gone."""
    metadata = made["metadata"]
    answer = cluster.api.get(f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}")
    return None if answer.status_code == 404 else answer.raise_for_status().json()


def wait_for(cluster: Cluster, made: Manifest, phase: str) -> Manifest:
    """Wait for a phase of a pod, and return the pod in it."""
    name = made["metadata"]["name"]
    wait_until(lambda: (read(cluster, made) or {"status": {}})["status"].get("phase") == phase, f"{name} as {phase}")
    found = read(cluster, made)
    assert found is not None
    return found


def run(cluster: Cluster, made: Manifest) -> Manifest:
    """Make a pod, and return it once it runs."""
    cluster.apply([made])
    return wait_for(cluster, made, "Running")
