"""The devices there are at one moment, for a program that only wants to know."""

from __future__ import annotations

from labpool.domain.inventory import Inventory
from labpool.engines.found_devices import devices_of, this_node
from labpool.engines.nvml import Nvml, NvmlUnavailable
from labpool.engines.patience import Patient, StillWaiting
from labpool.settings import PoolFile

_PATIENCE_SECONDS = 10.0


async def look_once(pool_file: PoolFile) -> Inventory:
    """Those of the engine that `pool_file` names; on this machine the simulated ones where the driver knows none.

    Raises:
        ClusterUnavailable: they are a cluster's, which gives no answer.
        ClusterRefused: the cluster doesn't let us look.
    """
    if pool_file.engine in ("kubernetes", "kueue"):
        from labpool.engines.cluster.one_look import look_at_cluster  # noqa: PLC0415 (loads a Kubernetes client)

        return await look_at_cluster(pool_file)
    try:
        cards = await Patient(Nvml().read, _PATIENCE_SECONDS)()
    except (NvmlUnavailable, StillWaiting):
        cards = ()
    if not cards:
        return Inventory(pool_file.simulated_nodes, pool_file.simulated_devices)
    return Inventory((this_node(),), devices_of(cards, pool_file.patterns))
