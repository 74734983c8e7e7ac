"""The devices of this machine at one moment, for a program that only wants to know."""

from __future__ import annotations

from labpool.domain.inventory import Inventory
from labpool.engines.found_devices import devices_of, this_node
from labpool.engines.nvml import Nvml, NvmlUnavailable
from labpool.engines.patience import Patient, StillWaiting
from labpool.settings import PoolFile

_PATIENCE_SECONDS = 10.0


async def look_once(pool_file: PoolFile) -> Inventory:
    """Real devices where the driver answers with any, else the simulated ones of `pool_file`."""
    try:
        cards = await Patient(Nvml().read, _PATIENCE_SECONDS)()
    except (NvmlUnavailable, StillWaiting):
        cards = ()
    if not cards:
        return Inventory(pool_file.simulated_nodes, pool_file.simulated_devices)
    return Inventory((this_node(),), devices_of(cards, pool_file.patterns))
