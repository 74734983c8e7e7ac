"""A cluster of Kubernetes in which Kueue decides who is next: everything else is as in one without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone

from labpool.cluster import ClusterApi
from labpool.domain.leases import Lease
from labpool.engines.engine import Capabilities
from labpool.engines.kubernetes import KubernetesEngine
from labpool.kueue.line import Line
from labpool.kueue.manifests import HOST
from labpool.settings import ClusterSettings, KueueSettings, PoolFile


class KueueEngine(KubernetesEngine):
    """Devices and servers as in any cluster; order, borrowing and taking back are Kueue's, in its queues."""

    capabilities = Capabilities(commitments=False, advance_reservations=False, device_ids=False, extend=True)

    def __init__(self, api: ClusterApi, pool_file: Callable[[], PoolFile], pool_id: str) -> None:
        super().__init__(api, pool_file, pool_id)
        self._line = Line(api, pool_id, self._settings, _utc_now, self._machines)
        self.line = self._line

    @property
    def trouble(self) -> str | None:
        """What keeps us from seeing the cluster, or Kueue from deciding as pool.yaml says; None where nothing does."""
        return super().trouble or self._line.trouble

    async def give_up(self, lease: Lease) -> tuple[str, ...]:
        """End the pod that finds no room, and let others in line go first for a while. Returns what won't go.

        The node stays open: Kueue chooses machines, and would go on choosing one of which the pool gives out nothing.
        """
        self._line.hold_off([lease.ticket])
        return await self.kill(lease.ticket)

    async def close(self) -> None:
        """Follow the cluster no more; who stands in line stays there."""
        await self._line.close()
        await super().close()

    def _begin(self) -> None:
        super()._begin()
        self._line.begin()

    def _machines(self) -> dict[str, str]:
        """Nodes whose host name is not their name: Kueue tells the one, pods and devices the other."""
        told = ((node.labels.get(HOST, node.name), node.name) for node in self._nodes.objects.values())
        return {host: name for host, name in told if host != name}

    def _settings(self) -> tuple[ClusterSettings, KueueSettings]:
        file = self._pool_file()
        return file.cluster, replace(file.kueue, namespace=self._namespace)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)
