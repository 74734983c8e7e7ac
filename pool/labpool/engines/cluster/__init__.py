"""What engines of a Kubernetes cluster share: servers as pods, and devices as what nodes offer."""

from labpool.engines.cluster.devices import ClusterView, device_id, inventory_of
from labpool.engines.cluster.servers import ServerPods

__all__ = ["ClusterView", "ServerPods", "device_id", "inventory_of"]
