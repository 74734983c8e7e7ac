"""What the cluster's nodes offer, as far as queues need to know it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from labpool.settings import FlavourOnNodes

CPU, MEMORY, STORAGE = "cpu", "memory", "ephemeral-storage"
BESIDE_DEVICES = (CPU, MEMORY, STORAGE)
"""What every server takes beside its devices."""
EVERY_NODE = {"kubernetes.io/os": "linux"}
"""Kueue wants a label of a flavour with topology; this one fits where pool.yaml names none."""


@dataclass(frozen=True, slots=True)
class NodeOffer:
    """A node, whether it is ready or not: `allocatable` is in thousandths, by resource."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    allocatable: Mapping[str, int] = field(default_factory=dict)

    def has(self, labels: Mapping[str, str]) -> bool:
        """Whether it bears all these labels."""
        return all(self.labels.get(name) == value for name, value in labels.items())

    def offers(self, resource: str) -> int:
        """How much of a resource pods may have there, in thousandths."""
        return self.allocatable.get(resource, 0)


def selecting_labels(flavour: FlavourOnNodes) -> dict[str, str]:
    """Labels of the nodes that have a flavour."""
    return dict(flavour.node_labels) or dict(EVERY_NODE)


def nodes_with(flavour: FlavourOnNodes, nodes: Iterable[NodeOffer]) -> tuple[NodeOffer, ...]:
    """The nodes that have a flavour: its labels, and some of its resource."""
    labels = selecting_labels(flavour)
    return tuple(node for node in nodes if node.has(labels) and node.offers(flavour.resource))


def in_all(nodes: Iterable[NodeOffer], resource: str) -> int:
    """What several nodes offer of a resource together, in thousandths."""
    return sum(node.offers(resource) for node in nodes)
