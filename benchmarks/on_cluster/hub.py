"""A stand-in for hub and spawner: each server that the pool wants started is a pod without a process, and up at once.

A real hub would need a process for each of a thousand servers; what its spawner costs is the part `spawn`'s question.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response
from labpool.api_models import LeaseToApply, ServerStopped, SpawnAsked
from labpool.cluster.pods import POOL_LABEL, TICKET_ANNOTATION
from starlette.middleware.base import RequestResponseEndpoint

from tests.kubernetes.client import Administrator
from tests.kubernetes.fake_nodes import GPU
from tests.ports import free_ports
from tests.real_hub import listens, wait_until
from tests.service.pool_process import PoolProcess

_VERSION = "6.1.0"
_HOST = "kubernetes.io/hostname"
_COUNTED = {"kueue.x-k8s.io/podset-required-topology": _HOST}
_Key = tuple[str, str]


class PodHub:
    """The hub of one pool, and what its spawner does.

    Args:
        administrator: Of the cluster.
        namespace: Where the pods are.
    """

    def __init__(self, administrator: Administrator, namespace: str) -> None:
        self._administrator, self._namespace = administrator, namespace
        (self.port,) = free_ports(1)
        self.pool: PoolProcess | None = None
        self.started: list[tuple[float, str]] = []
        """When the pool wanted which ticket's server started, in seconds of `time.time`."""
        self._refusal = ""
        self._leases: dict[_Key, LeaseToApply] = {}
        self._options: dict[_Key, dict[str, object]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def api_url(self) -> str:
        """As the pool is told."""
        return f"http://127.0.0.1:{self.port}/hub/api"

    @property
    def holders(self) -> dict[str, _Key]:
        """Users and names of the servers that are up, by ticket."""
        return {lease.ticket: key for key, lease in self._leases.items()}

    def until_up(self, number: int, seconds: float) -> None:
        """Wait until so many servers are up at once."""
        try:
            wait_until(lambda: len(self._leases) >= number, f"{number} servers that are up", seconds)
        except AssertionError as late:
            message = f"{late}; {len(self._leases)} are, and the pool's last refusal: {self._refusal or 'none'}"
            raise RuntimeError(message) from late

    def release(self, ticket: str) -> float:
        """Stop a ticket's server as its user does; returns when its pod was gone and the pool is told."""
        key = self.holders[ticket]
        lease, pool = self._leases[key], self._its_pool
        path = f"/api/v1/namespaces/{self._namespace}/pods/{_pod_name(ticket)}"
        told = ServerStopped(user=key[0], name=key[1], ticket=ticket, granted_at=lease.starts).model_dump(mode="json")
        with self._administrator.client() as api, httpx.Client(headers=self._spawner, trust_env=False) as spawner:
            api.request("DELETE", path, json={"gracePeriodSeconds": 0}).raise_for_status()
            at = time.time()
            spawner.post(f"{pool.url}/api/v1/spawns/stopped", json=told, timeout=60).raise_for_status()
        del self._leases[key], self._options[key]
        return at

    def forget(self, user: str, name: str) -> None:
        """The pool itself has ended a server, as one for which a machine had no room, and its pod with it."""
        self._options.pop((user, name), None)
        self._leases.pop((user, name), None)

    def start(self, user: str, name: str, options: dict[str, object]) -> None:
        """Begin to start a server, and return at once as a hub does."""
        self._options[user, name] = options
        task = asyncio.get_running_loop().create_task(self._bring_up((user, name), time.time()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring_up(self, key: _Key, at: float) -> None:
        """Ask for the lease as a spawner does, and make the pod."""
        asked = SpawnAsked(user=key[0], name=key[1], granted_only=True, **self._options[key])
        url = f"{self._its_pool.url}/api/v1/spawns"
        answer = await self._pool_api.post(url, json=asked.model_dump(mode="json"), headers=self._spawner)
        if answer.status_code != httpx.codes.OK:
            self._refusal = f"{answer.status_code} {answer.text}"
            del self._options[key]
            return
        lease = LeaseToApply.model_validate_json(answer.content)
        body = _pod(lease, self._its_pool.place().pool_id)
        (await self._api.post(f"/api/v1/namespaces/{self._namespace}/pods", json=body)).raise_for_status()
        self._leases[key] = lease
        self.started.append((at, lease.ticket))

    @property
    def _its_pool(self) -> PoolProcess:
        assert self.pool is not None, "the pool is made after its hub"
        return self.pool

    @property
    def _spawner(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._its_pool.spawner_token}"}

    def servers(self) -> dict[str, dict[str, object]]:
        """Those that are up or start, by user and name, as the hub tells."""
        found: defaultdict[str, dict[str, object]] = defaultdict(dict)
        for key, options in list(self._options.items()):
            up = key in self._leases
            found[key[0]][key[1]] = {"ready": up, "pending": None if up else "spawn", "user_options": options}
        return found

    @contextmanager
    def running(self) -> Iterator[None]:
        """Answer, in a thread of its own, until the block ends."""
        config = uvicorn.Config(_app(self), host="127.0.0.1", port=self.port, log_config=None, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(server)))
        thread.start()
        wait_until(lambda: listens(self.api_url), "the first answer of the stand-in for the hub")
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(30)

    async def _serve(self, server: uvicorn.Server) -> None:
        async with (
            self._administrator.async_client() as self._api,
            httpx.AsyncClient(timeout=60, trust_env=False) as self._pool_api,
        ):
            await server.serve()


def _app(hub: PodHub) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def say_version(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["X-JupyterHub-Version"] = _VERSION
        return response

    @app.get("/hub/api/")
    async def version() -> dict[str, str]:
        return {"version": _VERSION}

    @app.get("/hub/api/users")
    async def users() -> list[dict[str, object]]:
        return [{"name": user, "servers": servers} for user, servers in hub.servers().items()]

    @app.post("/hub/api/users/{user}/servers/{name}", status_code=202)
    async def start(user: str, name: str, request: Request) -> None:
        hub.start(user, name, (await request.json())["user_options"])

    @app.delete("/hub/api/users/{user}/servers/{name}", status_code=204)
    async def stop(user: str, name: str) -> None:
        hub.forget(user, name)

    return app


def _pod_name(ticket: str) -> str:
    return f"server-{ticket}"


def _pod(lease: LeaseToApply, pool_id: str) -> dict[str, object]:
    """What is counted of the pod that the spawner would make: no command, so no process."""
    amounts = {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi", GPU: str(len(lease.devices))}
    resources = {"requests": amounts, "limits": amounts}
    spec = {
        "containers": [{"name": "notebook", "image": "none", "resources": resources}],
        "nodeSelector": {_HOST: lease.devices[0].node},
        "tolerations": [{"key": GPU, "operator": "Exists"}],
        "restartPolicy": "Never",
    }
    metadata = {
        "name": _pod_name(lease.ticket),
        "labels": {POOL_LABEL: pool_id},
        "annotations": {TICKET_ANNOTATION: lease.ticket, **_COUNTED},
    }
    return {"metadata": metadata, "spec": spec}
