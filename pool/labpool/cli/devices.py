"""The devices of the pool that a pool.yaml describes, for commands that work without a running pool."""

from __future__ import annotations

import asyncio

from labpool.cli.asking import Exit, fail
from labpool.domain.inventory import Inventory
from labpool.engines.one_look import look_once
from labpool.settings import PoolFile


def devices_of(pool_file: PoolFile) -> Inventory:
    """Those of this machine or of its cluster; where a cluster can't be asked, that ends the command with words."""
    if pool_file.engine == "workstation":
        return asyncio.run(look_once(pool_file))
    from labpool.cluster import ClusterRefused, ClusterUnavailable  # noqa: PLC0415 (loads a Kubernetes client)

    try:
        return asyncio.run(look_once(pool_file))
    except ClusterUnavailable as error:
        fail(str(error), Exit.NO_POOL)
    except ClusterRefused as error:
        fail(str(error), Exit.REFUSED)
