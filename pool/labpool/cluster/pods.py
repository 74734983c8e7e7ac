"""Pods as the API server gives them: where they are, what they take there, and whether they are servers of a pool."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, Field

from labpool.cluster.quantities import thousandths

POOL_LABEL = "labpool/pool"
"""Bears the id of the pool whose server it is."""
TICKET_ANNOTATION = "labpool/ticket"
"""Names the ticket whose lease it has."""
UNENDED = (("fieldSelector", "status.phase!=Succeeded,status.phase!=Failed"),)
"""Selects the pods that may still use something."""
PLACED = (("fieldSelector", f"{UNENDED[0][1]},spec.nodeName!="),)
"""Selects those that do: what has no node yet uses none, and of those there can be many."""
_STORAGE = re.compile("persistentvolumeclaim|unbound|volume|free storage", re.IGNORECASE)
"""Storage that is missing is no lack of room."""
_LASTING_OWNERS = frozenset({"DaemonSet", "Node"})


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod that has not ended.

    Args:
        namespace: Where it is.
        name: Its name there.
        uid: What tells it from another one of its name.
        node: Where it runs, or is to; empty as long as no place was found for it.
        takes: What it asks for, in thousandths, by resource.
        pool: The id of the pool whose server it is; empty for others.
        ticket: The ticket whose lease it has; empty for none.
        unplaced_since: When it was first said that no node has room for it.
        lasting: Whether it belongs to its node, as one of a DaemonSet does.
    """

    namespace: str
    name: str
    uid: str
    node: str = ""
    takes: Mapping[str, int] = field(default_factory=dict)
    pool: str = ""
    ticket: str = ""
    unplaced_since: datetime | None = None
    lasting: bool = False

    def asks_for(self, resource: str) -> int:
        """How much of a resource it takes, in thousandths."""
        return self.takes.get(resource, 0)


def pod_of(item: Mapping[str, object]) -> SeenPod:
    """A pod as the API server gives it.

    Raises:
        ValueError: it isn't one.
    """
    pod = _Pod.model_validate(item)
    placed = next((each for each in pod.status.conditions if each.type == "PodScheduled"), None)
    return SeenPod(
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        uid=pod.metadata.uid,
        node=pod.spec.node,
        takes=_taken(pod.spec),
        pool=pod.metadata.labels.get(POOL_LABEL, ""),
        ticket=pod.metadata.annotations.get(TICKET_ANNOTATION, ""),
        unplaced_since=placed.since if placed and not pod.spec.node and placed.says_no_room else None,
        lasting=any(owner.kind in _LASTING_OWNERS for owner in pod.metadata.owners),
    )


def _taken(spec: _Spec) -> dict[str, int]:
    """What the scheduler counts: all that run together, or the greediest of those that run before, and the overhead.

    See https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers.
    """
    beside = _sum(each.takes for each in spec.init if each.restart == "Always")
    together = _sum([beside, *(each.takes for each in spec.containers)])
    so_far: dict[str, int] = {}
    most = dict(together)
    for each in spec.init:
        if each.restart == "Always":
            so_far = _sum([so_far, each.takes])
        else:
            most = _largest(most, _sum([so_far, each.takes]))
    return _sum([most, {name: thousandths(amount) for name, amount in spec.overhead.items()}])


def _sum(amounts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in amounts:
        for name, amount in each.items():
            total[name] = total.get(name, 0) + amount
    return total


def _largest(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {*one, *other}}


class _Owner(BaseModel):
    kind: str


class _Metadata(BaseModel):
    name: str
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owners: list[_Owner] = Field([], alias="ownerReferences")


class _Resources(BaseModel):
    requests: dict[str, str] = {}


class _Container(BaseModel):
    resources: _Resources = _Resources()
    restart: str = Field("", alias="restartPolicy")

    @property
    def takes(self) -> dict[str, int]:
        return {name: thousandths(amount) for name, amount in self.resources.requests.items()}


class _Spec(BaseModel):
    node: str = Field("", alias="nodeName")
    containers: list[_Container] = []
    init: list[_Container] = Field([], alias="initContainers")
    overhead: dict[str, str] = {}


class _Condition(BaseModel):
    type: str
    status: str
    message: str = ""
    since: datetime | None = Field(None, alias="lastTransitionTime")

    @property
    def says_no_room(self) -> bool:
        return self.status == "False" and not _STORAGE.search(self.message)


class _Status(BaseModel):
    conditions: list[_Condition] = []


class _Pod(BaseModel):
    metadata: _Metadata
    spec: _Spec = _Spec()
    status: _Status = _Status()
