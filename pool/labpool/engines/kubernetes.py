"""A cluster of Kubernetes in which the pool's planner decides: devices are what its nodes offer, servers are pods."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timezone

from labpool.cluster import ClusterApi, Followed, Kind, connected
from labpool.cluster.nodes import node_of, nodes_with, unread_node
from labpool.cluster.pods import PLACED, SeenPod, pod_of
from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease
from labpool.engines.cluster.devices import ClusterView, inventory_of, trespassers_of
from labpool.engines.cluster.servers import ServerPods
from labpool.engines.cluster.trials import Trials, asks_of
from labpool.engines.engine import Capabilities, Engine, Trespasser
from labpool.settings import PoolFile

_SILENCE_SECONDS = 60.0
"""So long devices are still granted while the API server gives no answer: it may only be restarted."""


class KubernetesEngine(Engine):
    """Devices that a cluster's nodes offer, and the pods of one pool in one namespace.

    Make one with `began`, and `close` it in the end.

    Args:
        api: The API server.
        pool_file: What pool.yaml says now of flavours and their nodes.
        pool_id: Tells this pool's servers from another's.
    """

    capabilities = Capabilities(commitments=True, advance_reservations=True, device_ids=False, extend=True)

    def __init__(self, api: ClusterApi, pool_file: Callable[[], PoolFile], pool_id: str) -> None:
        self._pool_file, self._pool_id = pool_file, pool_id
        self._namespace = pool_file().cluster.namespace or api.namespace
        self._nodes = Followed(api, Kind("nodes", "/api/v1/nodes", node_of, unread=unread_node), self._tell)
        self._pods = Followed(api, Kind("pods", "/api/v1/pods", pod_of, PLACED))
        self.servers = ServerPods(api, self._namespace, pool_id, self._nodes, self._tell)
        self._followed = (self._nodes, self._pods, self.servers.followed)
        self._trials = Trials()
        self._gone: dict[str, datetime] = {}
        self._blind_since: float | None = None
        self._ends = AsyncExitStack()

    @classmethod
    async def began(cls, pool_file: Callable[[], PoolFile], pool_id: str) -> KubernetesEngine:
        """One that follows the cluster of this environment.

        Raises:
            ClusterUnavailable: nothing says where the cluster is.
        """
        ends = AsyncExitStack()
        engine = cls(await ends.enter_async_context(connected()), pool_file, pool_id)
        engine._ends = ends
        engine._begin()
        return engine

    @property
    def trouble(self) -> str | None:
        """What keeps us from seeing the cluster, or None."""
        return self._blind()

    async def inventory(self, leases: Iterable[Lease] | None = None) -> Inventory:
        """All devices of the cluster, once all was seen for the first time.

        Where the API server stops answering, what was seen last stays, and what is free is withheld after a minute.
        """
        known = tuple(leases) if leases is not None else None
        return await asyncio.to_thread(inventory_of, await self._view(known or ()), known)

    async def processes(self) -> Mapping[str, tuple[str, ...]]:
        """Ticket id to the names of its pods, those on nodes that aren't heard of left out."""
        await self._all_listed()
        return self.servers.by_ticket()

    async def terminate(self, ticket: str) -> tuple[str, ...]:
        """Let the pods of `ticket` end within their grace. Returns those that were asked."""
        return await self.servers.terminate(ticket)

    async def kill(self, ticket: str) -> tuple[str, ...]:
        """End the pods of `ticket` and wait until they are gone. Returns those that won't go."""
        return await self.servers.kill(ticket)

    async def trespassers(self, leases: Iterable[Lease]) -> tuple[Trespasser, ...]:
        """Pods that take devices from leases whose own server is not there yet."""
        known = tuple(leases)
        return await asyncio.to_thread(trespassers_of, await self._view(known), known)

    async def unplaced(self) -> Mapping[str, datetime]:
        """Tickets whose pod finds no room on the node of its lease, each since when."""
        return self.servers.unplaced()

    async def give_up(self, lease: Lease) -> tuple[str, ...]:
        """End the pod that finds no room, and offer nothing of its node for a while. Returns what won't go."""
        asks = next((asks_of(pod) for pod in self._own() if pod.ticket == lease.ticket), frozenset())
        left = await self.servers.kill(lease.ticket)
        for node in {id_.partition("/")[0] for id_ in lease.devices}:
            self._trials.refused(node, asks, self._own(), time.monotonic(), self._count_like(node, lease.flavour))
        return left

    async def forget(self, ticket: str) -> None:
        """Let the cluster forget pods of `ticket` on nodes that aren't heard of: their names are needed elsewhere."""
        await self.servers.forget(ticket)

    async def close(self) -> None:
        """Follow the cluster no more."""
        for followed in self._followed:
            await followed.close()
        await self._ends.aclose()

    def _begin(self) -> None:
        for followed in self._followed:
            followed.begin()

    def _blind(self) -> str | None:
        return next((followed.trouble for followed in self._followed if followed.trouble), None)

    async def _view(self, leases: Iterable[Lease]) -> ClusterView:
        await self._all_listed()
        file = self._pool_file()
        self._note_gone(leases)
        named = file.catalogue.flavours
        return ClusterView(
            nodes=tuple(self._nodes.objects.values()),
            pods=tuple(self._pods.objects.values()),
            flavours={name: file.cluster.flavour(name) for name in named},
            pool=self._pool_id,
            namespace=self._namespace,
            memory_gib={name: flavour.memory_gib for name, flavour in named.items()},
            kept_free=self._kept_free(),
            gone=dict(self._gone),
        )

    async def _all_listed(self) -> None:
        await asyncio.gather(*(followed.listed() for followed in self._followed))

    def _note_gone(self, leases: Iterable[Lease]) -> None:
        there, now = {name for _, name in self._nodes.objects}, datetime.now(timezone.utc)
        leased = {id_.partition("/")[0] for lease in leases for id_ in lease.devices}
        self._gone = {node: self._gone.get(node, now) for node in leased if node not in there}

    def _kept_free(self) -> dict[str, str]:
        trouble, now = self._blind(), time.monotonic()
        if trouble is None:
            self._blind_since = None
        elif self._blind_since is None:
            self._blind_since = now
        if self._blind_since is not None and now - self._blind_since >= _SILENCE_SECONDS:
            return dict.fromkeys((name for _, name in self._nodes.objects), "The cluster gives no answer.")
        return self._trials.kept_free(self._own(), now)

    def _count_like(self, name: str, flavour: str) -> int:
        """How many nodes have a flavour, with this one."""
        there = nodes_with(self._pool_file().cluster.flavour(flavour), self._nodes.objects.values())
        return len({node.name for node in there} | {name})

    def _own(self) -> tuple[SeenPod, ...]:
        return tuple(self.servers.followed.objects.values())

    def _tell(self) -> None:
        self.changed()
