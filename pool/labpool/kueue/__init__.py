"""Kueue's objects for a lab: queues, flavours and classes made from pool.yaml and the cluster's nodes."""

from labpool.kueue.differences import FieldChange
from labpool.kueue.manifests import Kind, Named
from labpool.kueue.steps import Act, Step, Synced
from labpool.kueue.sync import sync_queues
from labpool.kueue.wanted import UnusableFlavours, priority_value

__all__ = [
    "Act",
    "FieldChange",
    "Kind",
    "Named",
    "Step",
    "Synced",
    "UnusableFlavours",
    "priority_value",
    "sync_queues",
]
