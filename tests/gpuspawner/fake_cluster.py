"""A fake of the cluster, for what a real one does only once in a while. tests/kubernetes has a real one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from gpuspawner.asking import Asking
from gpuspawner.kubernetes import GPUKubeSpawner
from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.client.rest import ApiException

from tests.gpuspawner.pods import Stored, lease

POD = "lab/jupyter-ada"
Pod = dict[str, Any]


@dataclass
class Seen:
    """KubeSpawner's watch on pods or on events, as long as a test lasts."""

    watch_task: asyncio.Future[None]
    first_load_future: asyncio.Future[None] = field(default_factory=asyncio.Future)
    pods: dict[str, Pod] = field(default_factory=dict)
    resources: dict[str, Pod] = field(default_factory=dict)
    events: tuple[Pod, ...] = ()


class FakeCluster:
    """Takes pods and homes. `states` are what the notebook's container goes through, the last for good."""

    def __init__(self) -> None:
        self.seen = Seen(asyncio.get_running_loop().create_future())
        self.seen.first_load_future.set_result(None)
        self.api_client = ApiClient(Configuration())
        self.status: Pod = {"phase": "Pending"}
        self.made: list[Pod] = []
        self.graces: list[int] = []
        self.takes_pods = self.ends_pods = True

    @property
    def pods(self) -> dict[str, Pod]:
        return self.seen.pods

    def spawner(self, spawner: GPUKubeSpawner) -> GPUKubeSpawner:
        """The same spawner, at this cluster."""
        spawner.api = self
        return spawner

    async def create_namespaced_persistent_volume_claim(self, **claim: object) -> None:
        pass

    async def create_namespaced_pod(self, namespace: str, pod: object) -> None:
        sent = self.api_client.sanitize_for_serialization(pod)
        self.made.append(sent)
        if self.takes_pods:
            uid = f"uid-{len(self.made)}"
            self.pods[POD] = {"metadata": {**sent["metadata"], "uid": uid}, "spec": sent["spec"], "status": self.status}
        else:
            raise ApiException(status=422)

    async def delete_namespaced_pod(self, name: str, grace_period_seconds: int, **more: object) -> None:
        self.graces.append(grace_period_seconds)
        if self.ends_pods:
            self.pods.pop(POD, None)


def wanted(spawner: GPUKubeSpawner, profile: str, monkeypatch: pytest.MonkeyPatch) -> GPUKubeSpawner:
    """The same spawner, whose next start is one of `profile`, with a lease where that needs one."""

    async def leased(asking: Asking, options: object) -> object:
        return lease(profile)

    monkeypatch.setattr(Asking, "lease", leased)
    spawner.user_options = {"project": "vision", "profile": profile, "hours": 1}
    spawner.orm_spawner = Stored()
    return spawner
