"""What the cluster's nodes offer, and whether they may be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, Field

from labpool.cluster.quantities import thousandths
from labpool.settings import FlavourOnNodes, Toleration

CPU, MEMORY, STORAGE = "cpu", "memory", "ephemeral-storage"
BESIDE_DEVICES = (CPU, MEMORY, STORAGE)
"""What every server takes beside its devices."""
EVERY_NODE = {"kubernetes.io/os": "linux"}
"""Kueue wants a label of a flavour with topology; this one fits where pool.yaml names none."""


@dataclass(frozen=True, slots=True)
class Taint:
    """What keeps pods that don't tolerate it away from a node."""

    key: str
    value: str = ""
    effect: str = ""

    def keeps_away(self, tolerations: Iterable[Toleration]) -> bool:
        """Whether a pod with these tolerations is not put there."""
        return self.effect != "PreferNoSchedule" and not any(self._is_tolerated_by(each) for each in tolerations)

    def _is_tolerated_by(self, toleration: Toleration) -> bool:
        return (
            toleration.key == self.key
            and toleration.value in ("", self.value)
            and toleration.effect in ("", self.effect)
        )


@dataclass(frozen=True, slots=True)
class NodeOffer:
    """A node, whether it is ready or not: `allocatable` is in thousandths, by resource.

    `ready` is what its kubelet says, False too where it isn't `heard`, and `since` when that began. One that is
    `closed` takes no new pods.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    allocatable: Mapping[str, int] = field(default_factory=dict)
    ready: bool = True
    heard: bool = True
    since: datetime | None = None
    closed: bool = False
    taints: tuple[Taint, ...] = ()

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


def node_of(item: Mapping[str, object]) -> NodeOffer:
    """A node as the API server gives it.

    Raises:
        ValueError: it isn't one.
    """
    node = _Node.model_validate(item)
    ready = next((each for each in node.status.conditions if each.type == "Ready"), _Condition())
    return NodeOffer(
        name=node.metadata.name,
        labels=node.metadata.labels,
        allocatable={name: thousandths(amount) for name, amount in node.status.allocatable.items()},
        ready=ready.status == "True",
        heard=ready.status in ("True", "False"),
        since=ready.since,
        closed=node.spec.unschedulable,
        taints=tuple(Taint(each.key, each.value, each.effect) for each in node.spec.taints),
    )


def unread_node(item: Mapping[str, object]) -> NodeOffer | None:
    """A node of which nothing else can be read: it is there, so what is leased on it isn't lost, and offers no more."""
    metadata = item.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return NodeOffer(str(name)) if name else None


class _Metadata(BaseModel):
    name: str
    labels: dict[str, str] = {}


class _Taint(BaseModel):
    key: str
    value: str = ""
    effect: str = ""


class _Spec(BaseModel):
    unschedulable: bool = False
    taints: list[_Taint] = []


class _Condition(BaseModel):
    type: str = ""
    status: str = ""
    since: datetime | None = Field(None, alias="lastTransitionTime")


class _Status(BaseModel):
    allocatable: dict[str, str] = {}
    conditions: list[_Condition] = []


class _Node(BaseModel):
    metadata: _Metadata
    spec: _Spec = _Spec()
    status: _Status = _Status()
