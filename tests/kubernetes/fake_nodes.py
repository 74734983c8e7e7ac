"""Nodes that aren't there: KWOK answers for them. Labels and taints are those that GPU nodes carry."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import httpx

from tests.kubernetes.control_plane import NODE_ANNOTATION
from tests.kubernetes.namespaces import make_namespace
from tests.real_hub import wait_until

GPU = "nvidia.com/gpu"
FLAVOUR_LABEL = "nvidia.com/gpu.product"
"""What NVIDIA's feature discovery calls a node's kind of GPU."""
A100 = "NVIDIA-A100-SXM4-80GB"
AT_ONCE = 8
"""Requests beside each other: a thousand nodes are wanted soon."""
LONGEST = 180
"""Seconds until all of a thousand nodes are ready."""
FOREIGN = "foreign"
"""The namespace of pods that are somebody else's."""

STAGES = """
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-address}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
    - {key: .status.podIP, operator: DoesNotExist}
  next:
    statusTemplate: |
      {{ $address := PodIPWith .spec.nodeName false (or .metadata.uid "") .metadata.name .metadata.namespace }}
      hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
      podIP: {{ $address | Quote }}
      podIPs: [{ip: {{ $address | Quote }}}]
      phase: Pending
"""
"""All that KWOK does with pods here; pod_runner.py does the rest. For nodes it keeps its own stages."""


@dataclass(frozen=True)
class FakeNodes:
    """The nodes of one cluster, through its API."""

    api: httpx.Client

    def names(self) -> list[str]:
        """All there are."""
        return [node["metadata"]["name"] for node in self._list()]

    def add(self, count: int, gpus: int, product: str = A100, used: int = 0, prefix: str = "gpu") -> list[str]:
        """Add nodes and wait until they are ready.

        Args:
            count: How many.
            gpus: GPUs of each; a node without any has no taint either.
            product: Their kind, as `FLAVOUR_LABEL` tells it.
            used: GPUs of each that a foreign pod has already, which nobody queued for.
            prefix: Of their names, which go on with the first free number.
        """
        there = set(self.names())
        names = [name for name in (f"{prefix}-{n}" for n in range(1, len(there) + count + 1)) if name not in there]
        names = names[:count]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for answer in threads.map(lambda name: self._post("nodes", _node(name, gpus, product)), names):
                answer.raise_for_status()
        wait_until(lambda: self.ready() >= set(names), f"{count} nodes that are ready", LONGEST)
        for name in names if used else ():
            self.use(name, used)
        return names

    def use(self, node: str, gpus: int) -> None:
        """Let a foreign pod take GPUs of a node, past every queue."""
        make_namespace(self.api, FOREIGN)
        self._post(f"namespaces/{FOREIGN}/pods", _foreign_pod(node, gpus)).raise_for_status()

    def cordon(self, node: str, closed: bool = True) -> None:
        """Let nothing new onto a node, or let it again."""
        self.api.patch(
            f"/api/v1/nodes/{node}",
            json={"spec": {"unschedulable": closed}},
            headers={"Content-Type": "application/merge-patch+json"},
        ).raise_for_status()

    def say_ready(self, node: str, status: str) -> None:
        """Say of a node that it is ready ("True"), not ready ("False"), or not heard of ("Unknown")."""
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Ready", "status": status, "lastHeartbeatTime": now, "lastTransitionTime": now}
        self.api.patch(
            f"/api/v1/nodes/{node}/status",
            json={"status": {"conditions": [condition | {"reason": "Said"}]}},
            headers={"Content-Type": "application/strategic-merge-patch+json"},
        ).raise_for_status()

    def remove(self, node: str) -> None:
        """Take a node away; the cluster collects its pods after a minute."""
        self.api.delete(f"/api/v1/nodes/{node}").raise_for_status()

    def ready(self) -> set[str]:
        """The nodes that say so."""
        return {node["metadata"]["name"] for node in self._list() if _is_ready(node)}

    def _post(self, kind: str, manifest: dict[str, object]) -> httpx.Response:
        return self.api.post(f"/api/v1/{kind}", json=manifest)

    def _list(self) -> list[dict[str, Any]]:
        return list(self.api.get("/api/v1/nodes").raise_for_status().json()["items"])


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _node(name: str, gpus: int, product: str) -> dict[str, object]:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"}
    resources = {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "2Ti", "pods": "110"}
    taints = []
    if gpus:
        labels |= {f"{GPU}.present": "true", FLAVOUR_LABEL: product, f"{GPU}.count": str(gpus)}
        resources[GPU] = str(gpus)
        taints.append({"key": GPU, "value": "present", "effect": "NoSchedule"})
    return {
        "metadata": {"name": name, "labels": labels, "annotations": {NODE_ANNOTATION: "fake"}},
        "spec": {"taints": taints},
        "status": {"allocatable": resources, "capacity": resources},
    }


def _foreign_pod(node: str, gpus: int) -> dict[str, object]:
    container = {"name": "somebody", "image": "foreign", "resources": {"limits": {GPU: str(gpus)}}}
    tolerations = [{"operator": "Exists"}]
    return {
        "metadata": {"generateName": f"on-{node}-"},
        "spec": {"nodeName": node, "containers": [container], "tolerations": tolerations},
    }
