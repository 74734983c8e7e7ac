"""What is in the cluster: the objects of Kueue's kinds that concern us, and who holds something of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, Field

from labpool.cluster.nodes import NodeOffer
from labpool.kueue.differences import flattened
from labpool.kueue.manifests import Kind, Named, labels_of


@dataclass(frozen=True, slots=True)
class Live:
    """An object that is there.

    `fields` are what it says, by path. `refers` are the objects that it needs. `node_labels` are a ResourceFlavor's.
    """

    named: Named
    fields: Mapping[str, str] = field(default_factory=dict)
    refers: frozenset[Named] = frozenset()
    node_labels: Mapping[str, str] = field(default_factory=dict)
    ours: bool = True
    going: bool = False


@dataclass(frozen=True, slots=True)
class HeldWorkload:
    """A Workload that isn't over: in which LocalQueue, and since its admission by which ClusterQueue and flavours."""

    name: str
    queue: str
    cluster_queue: str = ""
    flavours: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Standing:
    """All of it. `workloads` are those of the namespace in which servers run."""

    live: Mapping[Named, Live] = field(default_factory=dict)
    nodes: tuple[NodeOffer, ...] = ()
    workloads: tuple[HeldWorkload, ...] = ()

    def held(self) -> dict[str, frozenset[str]]:
        """Names of the ResourceFlavors that Workloads hold, by their LocalQueue."""
        queues = {each.queue for each in self.workloads}
        return {queue: frozenset(_flavours(each for each in self.workloads if each.queue == queue)) for queue in queues}


def live_of(kind: Kind, item: Mapping[str, object], cohort: str) -> Live:
    """An object of Kueue's as the API server gives it."""
    metadata = _Metadata.model_validate(item["metadata"])
    named = Named(kind, metadata.name, metadata.namespace)
    ours = labels_of(cohort).items() <= metadata.labels.items()
    spec = _Spec.model_validate(item.get("spec") or {})
    return Live(
        named, flattened(item), references(named, spec), spec.node_labels, ours, metadata.deletion_timestamp is not None
    )


def needs_of(named: Named, body: Mapping[str, object]) -> frozenset[Named]:
    """The objects that one of our manifests needs."""
    return references(named, _Spec.model_validate(body.get("spec") or {}))


def references(named: Named, spec: _Spec) -> frozenset[Named]:
    """The objects that one needs, by what its spec says."""
    needs = [Named(Kind.FLAVOUR, each.name) for group in spec.groups for each in group.flavours]
    for kind, name in (
        (Kind.COHORT, spec.cohort),
        (Kind.TOPOLOGY, spec.topology),
        (Kind.CLUSTER_QUEUE, spec.cluster_queue),
    ):
        if name:
            needs.append(Named(kind, name))
    return frozenset(needs)


def workloads_of(items: Iterable[Mapping[str, object]]) -> Iterator[HeldWorkload]:
    """Those of the API server's Workloads that aren't over."""
    for item in items:
        workload = _Workload.model_validate(item)
        if not any(each.type == "Finished" and each.status == "True" for each in workload.status.conditions):
            admission = workload.status.admission or _Admission()
            flavours = frozenset(name for each in admission.assignments for name in each.flavors.values())
            yield HeldWorkload(workload.metadata.name, workload.spec.queue, admission.cluster_queue, flavours)


def _flavours(workloads: Iterable[HeldWorkload]) -> Iterator[str]:
    for each in workloads:
        yield from each.flavours


class _Metadata(BaseModel):
    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    deletion_timestamp: str | None = Field(None, alias="deletionTimestamp")


class _FlavourName(BaseModel):
    name: str


class _Group(BaseModel):
    flavours: list[_FlavourName] = Field([], alias="flavors")


class _Spec(BaseModel):
    """The parts of all kinds' specs that name something else."""

    groups: list[_Group] = Field([], alias="resourceGroups")
    cohort: str = Field("", alias="cohortName")
    topology: str = Field("", alias="topologyName")
    cluster_queue: str = Field("", alias="clusterQueue")
    node_labels: dict[str, str] = Field({}, alias="nodeLabels")


class _Condition(BaseModel):
    type: str
    status: str


class _Assignment(BaseModel):
    flavors: dict[str, str] = {}


class _Admission(BaseModel):
    cluster_queue: str = Field("", alias="clusterQueue")
    assignments: list[_Assignment] = Field([], alias="podSetAssignments")


class _WorkloadStatus(BaseModel):
    conditions: list[_Condition] = []
    admission: _Admission | None = None


class _WorkloadSpec(BaseModel):
    queue: str = Field("", alias="queueName")


class _Workload(BaseModel):
    metadata: _Metadata
    spec: _WorkloadSpec = _WorkloadSpec()
    status: _WorkloadStatus = _WorkloadStatus()
