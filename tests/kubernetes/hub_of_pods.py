"""A hub in memory whose servers are pods of a real cluster: what our spawner plans, made without a JupyterHub."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gpuspawner.options import ServerOptions
from gpuspawner.pod_fields import NOTEBOOK
from gpuspawner.pod_folders import PodStorage
from gpuspawner.pod_plan import Started, plan_pod
from gpuspawner.pod_shape import lay_over
from kubernetes_asyncio.client.models import V1Container, V1ObjectMeta, V1Pod, V1PodSpec
from labpool.api_models import LeasedDevice, LeaseToApply
from labpool.cluster import ClusterApi
from labpool.cluster.answers import make_sure
from labpool.cluster.pods import POOL_LABEL, TICKET_ANNOTATION
from labpool.domain.leases import Lease
from labpool.domain.tickets import Ticket
from labpool.hub_api import HubRefused, HubServer
from labpool.service.to_apply import to_apply

from tests.service.machines_and_hub import HubInMemory

if TYPE_CHECKING:
    from tests.kubernetes.cluster_history import ClusterHistory

Manifest = dict[str, Any]
_HOURS = 1.0
"""What a pod's plan is made for; only a CPU server's end depends on it."""
_NOTHING_MOUNTED = PodStorage("/home/somebody", "", "", "", "")
_LONGEST_END = 60.0
_OVER = ("Failed", "Succeeded")


class HubOfPods(HubInMemory):
    """One pod for each server, under the server's name; it runs without a process, so that many fit here."""

    def __init__(self, history: ClusterHistory) -> None:
        super().__init__(history)
        self._path = f"/api/v1/namespaces/{history.lab.namespace}/pods"

    @property
    def _api(self) -> ClusterApi:
        return self._history.api

    async def servers(self) -> dict[tuple[str, str], HubServer]:
        """Those whose pod is there and not over; a pod that is over is taken away, as our spawner does."""
        self._check_answers()
        pods = await self.pods()
        for name, pod in pods.items():
            if pod["status"].get("phase") in _OVER:
                await self._delete(name)
        alive = {name: pod for name, pod in pods.items() if pod["status"].get("phase") not in _OVER}
        self._up = {server: up for server, up in self._up.items() if _pod_name(*server) in alive}
        return {server: _seen(server, up, alive[_pod_name(*server)]) for server, up in self._up.items()}

    async def _end(self, ticket: Ticket) -> None:
        await self._end_pod(_pod_name(ticket.user, ticket.name))

    async def pods(self) -> dict[str, Manifest]:
        """All there are, by name."""
        chosen = {"labelSelector": f"{POOL_LABEL}={self._history.lab.pool_id}"}
        found: list[Manifest] = [dict(pod) for pod in (await self._api.list_as_of(self._path, chosen))[0]]
        return {pod["metadata"]["name"]: pod for pod in found}

    async def fail(self, name: str) -> None:
        """Let the process of a pod die."""
        body = {"status": {"phase": "Failed"}}
        await self._api.ask(
            "PATCH", f"{self._path}/{name}/status", {}, body, content_type="application/merge-patch+json"
        )

    async def make_stray(self, name: str) -> None:
        """Make a pod of the pool's that no lease is of."""
        marks = {"labels": {POOL_LABEL: self._history.lab.pool_id}, "annotations": {TICKET_ANNOTATION: "of-nobody"}}
        body = {"metadata": {"name": name, **marks}, "spec": {"containers": [{"name": NOTEBOOK, "image": "none"}]}}
        status, answer = await self._api.ask("POST", self._path, {}, body)
        make_sure(status, answer, f"make the pod {name}")

    async def _run(self, ticket: Ticket, lease: Lease) -> None:
        name = _pod_name(ticket.user, ticket.name)
        manifest = self._manifest(name, ticket, lease)
        status, answer = await self._api.ask("POST", self._path, {}, manifest)
        if status == HTTPStatus.CONFLICT:
            await self._end_pod(name)
            status, answer = await self._api.ask("POST", self._path, {}, manifest)
        if status == HTTPStatus.CONFLICT:
            raise HubRefused(503, f"the pod {name} of an earlier start won't go", "server_is_lost")
        make_sure(status, answer, f"make the pod {name}")

    def _manifest(self, name: str, ticket: Ticket, lease: Lease) -> Manifest:
        file, pool_id = self._history.lab.file, self._history.lab.pool_id
        options = ServerOptions(ticket.project, ticket.profile, _HOURS, needs_gpu=True)
        started = Started(ticket.user, options, self._to_apply(ticket, lease))
        pod = V1Pod(
            api_version="v1",
            kind="Pod",
            metadata=V1ObjectMeta(name=name),
            spec=V1PodSpec(containers=[V1Container(name=NOTEBOOK, image="none")]),
        )
        lay_over(pod, plan_pod(started, file, _NOTHING_MOUNTED, "http://pool.example.org", pool_id))
        plain: Manifest = self._api.client.sanitize_for_serialization(pod)
        return plain

    def _to_apply(self, ticket: Ticket, lease: Lease) -> LeaseToApply:
        profile = self._history.rules.profile_of(ticket)
        devices = (each.split("/") for each in lease.devices)
        leased = (
            LeasedDevice(
                id=f"{node}/{flavour}/{index}",
                index=int(index),
                flavour=flavour,
                node=node,
                memory_gib=80,
                simulated=False,
            )
            for node, flavour, index in devices
        )
        return to_apply(ticket, lease, profile, tuple(leased), "a-token")

    async def _end_pod(self, name: str) -> None:
        await self._delete(name)
        clock = asyncio.get_running_loop().time
        until = clock() + _LONGEST_END
        while clock() < until and name in await self.pods():
            await asyncio.sleep(0.02)

    async def _delete(self, name: str) -> None:
        await self._api.delete(f"{self._path}/{name}", f"end the pod {name}", options={"gracePeriodSeconds": 1})


def _pod_name(user: str, name: str) -> str:
    return f"{user}-{name}"


def _seen(server: tuple[str, str], up: Ticket, pod: Mapping[str, Any]) -> HubServer:
    is_up = pod["status"].get("phase") == "Running"
    return HubServer(*server, is_up, "" if is_up else "spawn", up.profile)
