"""Workloads as the API server gives them: whose they are, and what Kueue has decided on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, Field

from labpool.cluster.pods import POOL_LABEL
from labpool.cluster.quantities import thousandths

TICKET, ATTEMPT, MADE_OF = "labpool/ticket", "labpool/attempt", "labpool/made-of"
"""A label and two annotations: for which ticket it stands in line, for which attempt of it, and a hash of what it asks
for, since the API server adds to that."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One of Kueue's, or of ours. `since` is a time as the API server writes it."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is true."""
        return self.status == "True"


@dataclass(frozen=True, slots=True)
class Workload:
    """A Workload that is not over.

    Args:
        name: In the namespace where servers run.
        uid: What tells it from another one of its name.
        version: What a change that takes it for granted has to name.
        queue: Its LocalQueue.
        priority: The higher is first.
        created: What its place is counted by.
        pool: The id of the pool that made it for a ticket; empty for others.
        ticket: Whose it is; empty for others.
        attempt: That of the ticket.
        made_of: The hash of what it asks for.
        active: Whether Kueue may choose it.
        going: Whether it is being deleted.
        node: Where Kueue wants it, once it has chosen.
        holds: ResourceFlavor and thousandths of each resource that Kueue counts for it.
        conditions: All of them.
    """

    name: str
    uid: str
    version: str
    queue: str
    priority: int
    created: datetime
    pool: str = ""
    ticket: str = ""
    attempt: int = 1
    made_of: str = ""
    active: bool = True
    going: bool = False
    node: str = ""
    holds: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()

    @property
    def unclaimed(self) -> int:
        """How many turns of its ticket had gone unclaimed when it joined the line."""
        _, _, times = self.name.removeprefix(f"ticket-{self.ticket}").partition("-")
        return int(times) if times.isdigit() else 0

    def says(self, kind: str) -> Condition | None:
        """A condition by its type."""
        for each in self.conditions:  # asked of thousands at a time
            if each.type == kind:
                return each
        return None

    def is_true(self, kind: str) -> bool:
        """Whether a condition is there and true."""
        said = self.says(kind)
        return said is not None and said.holds

    @property
    def reserved(self) -> bool:
        """Whether Kueue counts something for it."""
        return self.is_true("QuotaReserved")

    @property
    def admitted(self) -> bool:
        """Whether it may run."""
        return self.is_true("Admitted") and self.reserved

    @property
    def asked_back(self) -> bool:
        """Whether Kueue waits for it to give back what it holds."""
        return self.reserved and self.is_true("Evicted")

    @property
    def pending(self) -> bool:
        """Whether it stands in line."""
        return not (self.reserved or self.going or self.is_true("Finished"))

    @property
    def rank(self) -> tuple[int, datetime, str]:
        """What the line is ordered by, the first one the least."""
        return -self.priority, self.created, self.name


def workload_of(item: Mapping[str, object]) -> Workload:
    """A Workload as the API server gives it.

    Raises:
        ValueError: it isn't one.
    """
    seen = _Workload.model_validate(item)
    labels, admission = seen.metadata.labels, seen.status.admission or _Admission()
    annotations = seen.metadata.annotations
    attempt = annotations.get(ATTEMPT, "")
    return Workload(
        name=seen.metadata.name,
        uid=seen.metadata.uid,
        version=seen.metadata.version,
        queue=seen.spec.queue,
        priority=seen.spec.priority or 0,
        created=seen.metadata.created,
        pool=labels.get(POOL_LABEL, "") if TICKET in labels else "",
        ticket=labels.get(TICKET, ""),
        attempt=int(attempt) if attempt.isdigit() else 1,
        made_of=annotations.get(MADE_OF, ""),
        active=seen.spec.active,
        going=seen.metadata.deleted is not None,
        node=next(_hosts(admission), ""),
        holds=dict(_held(admission)),
        conditions=tuple(each.plain() for each in seen.status.conditions),
    )


def _hosts(admission: _Admission) -> Iterator[str]:
    for assignment in admission.assignments:
        for part in assignment.topology.slices if assignment.topology else ():
            yield from (level.universal for level in part.levels[-1:] if level.universal)


def _held(admission: _Admission) -> Iterator[tuple[str, tuple[str, int]]]:
    for assignment in admission.assignments:
        for resource, flavour in assignment.flavours.items():
            yield resource, (flavour, thousandths(assignment.usage.get(resource, "0")))


class _Metadata(BaseModel):
    name: str
    uid: str = ""
    version: str = Field("", alias="resourceVersion")
    created: datetime = Field(alias="creationTimestamp")
    deleted: str | None = Field(None, alias="deletionTimestamp")
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _Level(BaseModel):
    universal: str = ""


class _Slice(BaseModel):
    levels: list[_Level] = Field([], alias="valuesPerLevel")


class _Topology(BaseModel):
    slices: list[_Slice] = []


class _Assignment(BaseModel):
    flavours: dict[str, str] = Field({}, alias="flavors")
    usage: dict[str, str] = Field({}, alias="resourceUsage")
    topology: _Topology | None = Field(None, alias="topologyAssignment")


class _Admission(BaseModel):
    assignments: list[_Assignment] = Field([], alias="podSetAssignments")


class _Condition(BaseModel):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: str = Field("", alias="lastTransitionTime")

    def plain(self) -> Condition:
        return Condition(self.type, self.status, self.reason, self.message, self.since)


class _Status(BaseModel):
    conditions: list[_Condition] = []
    admission: _Admission | None = None


class _Spec(BaseModel):
    queue: str = Field("", alias="queueName")
    active: bool = True
    priority: int | None = None


class _Workload(BaseModel):
    metadata: _Metadata
    spec: _Spec = _Spec()
    status: _Status = _Status()
