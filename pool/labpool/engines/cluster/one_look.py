"""The devices of a cluster at one moment, for a program that only wants to know."""

from __future__ import annotations

from labpool.cluster import connected
from labpool.cluster.nodes import node_of
from labpool.domain.inventory import Inventory
from labpool.engines.cluster.devices import ClusterView, inventory_of
from labpool.settings import PoolFile


async def look_at_cluster(pool_file: PoolFile) -> Inventory:
    """What the nodes offer, whoever uses it.

    Raises:
        ClusterUnavailable: no answer, or nothing says where the cluster is.
        ClusterRefused: we may not look.
    """
    async with connected() as api:
        nodes = tuple(node_of(item) for item in await api.list_all("/api/v1/nodes"))
    named = pool_file.catalogue.flavours
    flavours = {name: pool_file.cluster.flavour(name) for name in named}
    memory = {name: flavour.memory_gib for name, flavour in named.items()}
    return inventory_of(ClusterView(nodes, (), flavours, "", "", memory), None)
