"""The section `kueue` of pool.yaml: how the lab's queues are named and run where Kueue decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from labpool.settings.section import Section
from labpool.settings.values import Cores, Gibibytes, Slug


class QuotaSection(Section):
    """What a project's servers may have at once beside devices, of each flavour's nodes."""

    cpu: dict[Slug, Cores] = Field(
        {},
        description="CPU cores of each flavour's nodes; of a flavour that is left out all there are.",
        examples=[{"demo-gpu": 64}],
    )
    memory_gib: dict[Slug, Gibibytes] = Field(
        {},
        description="Memory of each flavour's nodes in GiB; of a flavour that is left out all there is.",
        examples=[{"demo-gpu": 512}],
    )


class KueueSection(Section):
    """How the lab's queues are named and run where Kueue decides."""

    cohort: Slug = Field(
        "labpool",
        description="Name of the cohort in which projects lend to each other. Names of all that is made for the whole "
        "cluster begin with it, so two pools in one cluster need two.",
        examples=["labpool"],
    )
    queueing: Literal["StrictFIFO", "BestEffortFIFO"] = Field(
        "StrictFIFO",
        description="Who of a project is next. StrictFIFO: the first in line, and nobody passes, so that big requests "
        "don't starve. BestEffortFIFO: whoever fits first, so that less stands idle.",
        examples=["StrictFIFO"],
    )
    quotas: dict[Slug, QuotaSection] = Field(
        {}, description="What a project's servers may have at once beside devices, by project; left out: all there is."
    )


@dataclass(frozen=True, slots=True)
class ProjectQuota:
    """What a project's servers may take of each flavour's nodes beside devices; of a missing flavour all there is."""

    cpu: Mapping[str, float] = field(default_factory=dict)
    memory_gib: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KueueSettings:
    """How queues are named and run. An empty `namespace` stands for our own; `quotas` are by project."""

    cohort: str = "labpool"
    queueing: str = "StrictFIFO"
    namespace: str = ""
    quotas: Mapping[str, ProjectQuota] = field(default_factory=dict)

    def quota(self, project: str) -> ProjectQuota:
        """What pool.yaml names for a project."""
        return self.quotas.get(project, ProjectQuota())


def kueue_settings(section: KueueSection, namespace: str) -> KueueSettings:
    """The section's values; servers run in `namespace`."""
    return KueueSettings(
        cohort=section.cohort,
        queueing=section.queueing,
        namespace=namespace,
        quotas={name: ProjectQuota(dict(quota.cpu), dict(quota.memory_gib)) for name, quota in section.quotas.items()},
    )
