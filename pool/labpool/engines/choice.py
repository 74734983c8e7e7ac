"""Which engine pool.yaml names."""

from __future__ import annotations

from collections.abc import Callable

from labpool.engines.engine import Engine
from labpool.engines.workstation import WorkstationEngine
from labpool.settings import Place, PoolFile


async def chosen_engine(pool_file: Callable[[], PoolFile], place: Place) -> Engine:
    """The engine that pool.yaml names now; `pool_file` gives what it says at any later time.

    Raises:
        ClusterUnavailable: it is a cluster's, and nothing says where that is.
    """
    now = pool_file()
    if now.engine == "kubernetes":
        from labpool.engines.kubernetes import KubernetesEngine  # noqa: PLC0415 (loads a Kubernetes client)

        return await KubernetesEngine.began(pool_file, place.pool_id)
    if now.engine == "kueue":
        from labpool.engines.kueue import KueueEngine  # noqa: PLC0415 (the same)

        return await KueueEngine.began(pool_file, place.pool_id)
    return WorkstationEngine(now, place, place.pool_id)
