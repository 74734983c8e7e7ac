"""The wanted queues as the objects that are sent to the API server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from labpool.cluster.nodes import MEMORY, STORAGE
from labpool.cluster.quantities import binary_quantity, decimal_quantity
from labpool.kueue.wanted import FlavourShares, Share, WantedFlavour, WantedQueue, WantedQueues
from labpool.settings import KueueSettings, Toleration

GROUP_VERSION = "kueue.x-k8s.io/v1beta2"
MANAGER = "app.kubernetes.io/managed-by"
COHORT = "labpool/cohort"
HOST = "kubernetes.io/hostname"


class Kind(Enum):
    """What is made, in the order in which it is made; `value` is what the API calls many of them."""

    TOPOLOGY = "topologies"
    FLAVOUR = "resourceflavors"
    COHORT = "cohorts"
    PRIORITY = "workloadpriorityclasses"
    CLUSTER_QUEUE = "clusterqueues"
    LOCAL_QUEUE = "localqueues"

    @property
    def word(self) -> str:
        """What the API calls one."""
        return _WORDS[self]


_WORDS = {
    Kind.TOPOLOGY: "Topology",
    Kind.FLAVOUR: "ResourceFlavor",
    Kind.COHORT: "Cohort",
    Kind.PRIORITY: "WorkloadPriorityClass",
    Kind.CLUSTER_QUEUE: "ClusterQueue",
    Kind.LOCAL_QUEUE: "LocalQueue",
}


@dataclass(frozen=True, slots=True)
class Named:
    """An object by its kind and name; `namespace` is empty for what is the whole cluster's."""

    kind: Kind
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind.word} {self.name}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object as it is sent: `body` is plain data for JSON."""

    named: Named
    body: Mapping[str, object]


def manifests(wanted: WantedQueues) -> tuple[Manifest, ...]:
    """All objects, in the order in which they are made. A lab without devices needs none."""
    if not wanted.queues:
        return ()
    return tuple(_all(wanted, wanted.settings))


def path_of(named: Named) -> str:
    """Where an object is in the API."""
    return f"{paths_of(named.kind, named.namespace)}/{named.name}"


def paths_of(kind: Kind, namespace: str) -> str:
    """Where all objects of a kind are in the API; an empty namespace for the whole cluster's kinds."""
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP_VERSION}{within}/{kind.value}"


def labels_of(cohort: str) -> dict[str, str]:
    """What our objects bear."""
    return {MANAGER: "labpool", COHORT: cohort}


def _all(wanted: WantedQueues, settings: KueueSettings) -> Iterator[Manifest]:
    cohort = settings.cohort
    yield _manifest(Named(Kind.TOPOLOGY, cohort), cohort, spec={"levels": [{"nodeLabel": HOST}]})
    for flavour in wanted.flavours:
        yield _manifest(Named(Kind.FLAVOUR, flavour.name), cohort, spec=_flavour(flavour, cohort))
    yield _manifest(Named(Kind.COHORT, cohort), cohort, spec={"resourceGroups": _by_resource(wanted.unowned)})
    for priority in wanted.priorities:
        yield _manifest(Named(Kind.PRIORITY, priority.name), cohort, value=priority.value)
    for queue in wanted.queues:
        yield _manifest(Named(Kind.CLUSTER_QUEUE, queue.name), cohort, spec=_cluster_queue(queue, settings))
    for queue in wanted.queues:
        local = Named(Kind.LOCAL_QUEUE, queue.project, settings.namespace)
        yield _manifest(local, cohort, spec={"clusterQueue": queue.name})


def _manifest(named: Named, cohort: str, **content: object) -> Manifest:
    metadata: dict[str, object] = {"name": named.name, "labels": labels_of(cohort)}
    if named.namespace:
        metadata["namespace"] = named.namespace
    return Manifest(named, {"apiVersion": GROUP_VERSION, "kind": named.kind.word, "metadata": metadata, **content})


def _flavour(flavour: WantedFlavour, topology: str) -> dict[str, object]:
    tolerations = [_toleration(each) for each in flavour.tolerations]
    labels = dict(flavour.node_labels)
    return {"nodeLabels": labels, "topologyName": topology} | ({"tolerations": tolerations} if tolerations else {})


def _toleration(toleration: Toleration) -> dict[str, str]:
    value = {"operator": "Equal", "value": toleration.value} if toleration.value else {"operator": "Exists"}
    return {"key": toleration.key, **value} | ({"effect": toleration.effect} if toleration.effect else {})


def _cluster_queue(queue: WantedQueue, settings: KueueSettings) -> dict[str, object]:
    # One group, since cpu and memory belong to one only, and a server's are those of its devices' nodes.
    covered = list(queue.flavours[0].shares)
    group = {"coveredResources": covered, "flavors": [_quotas(each) for each in queue.flavours]}
    return {
        "cohortName": settings.cohort,
        "queueingStrategy": settings.queueing,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": settings.namespace}},
        "preemption": {
            "reclaimWithinCohort": "Any",
            "borrowWithinCohort": {"policy": "Never"},
            "withinClusterQueue": "Never",
        },
        "fairSharing": {"weight": decimal_quantity(queue.weight)},
        "resourceGroups": [group],
    }


def _by_resource(flavours: tuple[FlavourShares, ...]) -> list[dict[str, object]]:
    resources = dict.fromkeys(resource for each in flavours for resource in each.shares)
    return [
        {"coveredResources": [resource], "flavors": [_quotas(each) for each in flavours if resource in each.shares]}
        for resource in resources
    ]


def _quotas(flavour: FlavourShares) -> dict[str, object]:
    return {"name": flavour.flavour, "resources": [_quota(*each) for each in flavour.shares.items()]}


def _quota(resource: str, share: Share) -> dict[str, str]:
    written = binary_quantity if resource in (MEMORY, STORAGE) else decimal_quantity
    limits = {"borrowingLimit": share.borrow, "lendingLimit": share.lend}
    named = {key: written(amount) for key, amount in limits.items() if amount is not None}
    return {"name": resource, "nominalQuota": written(share.nominal), **named}
