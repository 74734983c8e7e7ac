"""The shape of pool.yaml. Each key's meaning, unit, bounds, default and an example stand here and nowhere else.

The reference page, the JSON Schema and the words of error messages are made from these models.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from labpool.settings.audit_section import AUDIT_PATTERNS_IN_WORDS, AuditSection
from labpool.settings.dataset_section import DATASET_PATTERNS_IN_WORDS, DatasetSection
from labpool.settings.flavour_section import FLAVOUR_PATTERNS_IN_WORDS, FlavourSection
from labpool.settings.kubernetes_section import KUBERNETES_PATTERNS_IN_WORDS, KubernetesSection
from labpool.settings.kueue_section import KueueSection
from labpool.settings.notice_sections import NOTICE_PATTERNS_IN_WORDS, NoticesSection
from labpool.settings.profile_section import PROFILE_PATTERNS_IN_WORDS, ProfileSection
from labpool.settings.section import Section
from labpool.settings.simulated_section import SimulatedSection
from labpool.settings.term_section import TERM_PATTERNS_IN_WORDS, TermSection
from labpool.settings.values import (
    VALUE_PATTERNS_IN_WORDS,
    Devices,
    Minutes,
    Name,
    Slug,
    Title,
)

PATTERNS_IN_WORDS = (
    VALUE_PATTERNS_IN_WORDS
    | AUDIT_PATTERNS_IN_WORDS
    | DATASET_PATTERNS_IN_WORDS
    | FLAVOUR_PATTERNS_IN_WORDS
    | KUBERNETES_PATTERNS_IN_WORDS
    | NOTICE_PATTERNS_IN_WORDS
    | PROFILE_PATTERNS_IN_WORDS
    | TERM_PATTERNS_IN_WORDS
)


class MembersSection(Section):
    """Who is a member."""

    users: list[Name] = Field([], description="User names.", examples=[["ada"]])
    groups: list[Name] = Field([], description="The hub's groups.", examples=[["vision"]])
    everyone: bool = Field(False, description="Whether everybody who can sign in is a member.", examples=[False])


class OwnersSection(Section):
    """Who owns the project; owners are members."""

    users: list[Name] = Field([], description="User names.", examples=[["olga"]])
    groups: list[Name] = Field([], description="The hub's groups.", examples=[["vision-owners"]])


class BudgetSection(Section):
    """GPU-hours that a project may use in each period."""

    gpu_hours: float = Field(
        ge=0,
        le=10_000_000,
        allow_inf_nan=False,
        description="GPU-hours in each period: devices x hours x the flavour's charge. What is left at its end is not "
        "carried over.",
        examples=[200],
    )
    per: Literal["day", "week", "month", "year"] = Field(
        "month",
        description="How often it begins anew, at midnight in the file's timezone; a week begins on Monday.",
        examples=["month"],
    )


class ProjectSection(Section):
    """A project space."""

    title: Title = Field(description="What people read.", examples=["Vision group"])
    members: MembersSection = Field(MembersSection(), description="Who is a member.")
    owners: OwnersSection = Field(OwnersSection(), description="Who owns the project; owners are members.")
    nominal: dict[Slug, Devices] = Field(
        {}, description="Devices of each flavour that are the project's own.", examples=[{"demo-gpu": 2}]
    )
    borrow: dict[Slug, Devices] = Field(
        {}, description="Devices of each flavour it may hold beyond its own at once.", examples=[{"demo-gpu": 2}]
    )
    lend: dict[Slug, Devices] = Field(
        {},
        description="How many of its own devices of each flavour others may use while it doesn't; of a flavour that "
        "left out all of them.",
        examples=[{"demo-gpu": 2}],
    )
    weight: float | None = Field(
        None,
        gt=0,
        le=1000,
        allow_inf_nan=False,
        description="Its part of what frees early, beside the other projects'. Left out: the number of its nominal "
        "devices.",
        examples=[2],
    )
    budget: BudgetSection | None = Field(
        None, description="GPU-hours that its servers may use in each period. Left out: as many as they like."
    )
    profiles: list[Slug] = Field(
        min_length=1,
        description="Profiles its members may pick, in the order of the form.",
        examples=[["cpu", "gpu-1"]],
    )
    datasets: list[Slug] = Field(
        [], max_length=100, description="Datasets that its servers may read.", examples=[["digits"]]
    )


class UserLimitSection(Section):
    """Caps on one user over all projects."""

    gpus: int = Field(4, ge=0, le=1024, description="Devices at once.", examples=[4])
    servers: int = Field(3, ge=1, le=100, description="Servers at once, CPU ones too.", examples=[3])
    queued: int = Field(8, ge=0, le=1000, description="Tickets waiting at once.", examples=[8])


class OtherLimitSection(Section):
    """Caps that differ; what is left out stays as in limits.user."""

    gpus: int | None = Field(None, ge=0, le=1024, description="Devices at once.", examples=[2])
    servers: int | None = Field(None, ge=1, le=100, description="Servers at once, CPU ones too.", examples=[2])
    queued: int | None = Field(None, ge=0, le=1000, description="Tickets waiting at once.", examples=[4])


class LimitsSection(Section):
    """Caps on each user. A group's replace the default, of several groups the largest; a user's own beat both."""

    user: UserLimitSection = Field(UserLimitSection(), description="Everybody's caps.")
    groups: dict[Name, OtherLimitSection] = Field({}, description="Caps of each member of a group.")
    users: dict[Name, OtherLimitSection] = Field({}, description="Caps of one user.")


class QueueSection(Section):
    """Times of the queue; decimals are allowed."""

    claim_minutes: Minutes = Field(
        30,
        description="From server ready until a person must have used it, else it goes back to the queue.",
        examples=[30],
    )
    restart_minutes: Minutes = Field(
        5, description="How long a server that died, or whose machine doesn't answer, keeps its GPUs.", examples=[5]
    )
    end_grace_minutes: Minutes = Field(1, description="From SIGTERM to the end of the hours.", examples=[1])
    turnover_minutes: Minutes = Field(1, description="Kept free between two runs on a device.", examples=[1])
    expiry_hours: float = Field(
        24,
        gt=0,
        le=8760,
        allow_inf_nan=False,
        description='How long an unclaimed ticket waits for "ready".',
        examples=[24],
    )
    shortest_minutes: float = Field(
        5, gt=0, le=10080, allow_inf_nan=False, description="Shortest run one may ask for.", examples=[5]
    )
    notice_minutes: list[Minutes] = Field(
        [15, 5], max_length=10, description="When to say that the hours end, in minutes before.", examples=[[15, 5]]
    )
    start_tries: int = Field(3, ge=1, le=10, description="How often a granted server is started at most.", examples=[3])
    half_life_days: float = Field(
        7,
        gt=0,
        le=60,
        allow_inf_nan=False,
        description="After how many days what a project used counts half in its fair share.",
        examples=[7],
    )
    wait_before_taking_minutes: Minutes = Field(
        5, description="How long an owner waits before borrowed devices are taken back.", examples=[5]
    )
    grace_minutes: Minutes = Field(
        10, description="From the notice that borrowed devices go back to their end.", examples=[10]
    )
    borrow_min_minutes: Minutes = Field(
        30, description="How long a borrowed lease is left alone at least.", examples=[30]
    )
    unpromised_hours: float = Field(
        24,
        gt=0,
        le=8760,
        allow_inf_nan=False,
        description="After how long the first of a project that waits without a promise is given a place all the same, "
        "which only promises may take.",
        examples=[24],
    )
    placement_minutes: Minutes = Field(
        0.5,
        description="On Kubernetes: how long a started server may find no room on the machine of its GPUs before they "
        "are given back and it is in line again, where it stood.",
        examples=[0.5],
    )
    reconcile_seconds: float = Field(
        10,
        ge=0.1,
        le=600,
        allow_inf_nan=False,
        description="How often leases are compared with what runs, in seconds.",
        examples=[10],
    )


class PoolYaml(Section):
    """All of pool.yaml."""

    engine: Literal["workstation", "kubernetes", "kueue"] = Field(
        "workstation",
        description="Who provides the devices: this machine, or the nodes of a Kubernetes cluster. With kueue, the "
        "Kueue of that cluster decides who is next; else labpool's planner does. Counts from the pool's start.",
        examples=["kubernetes"],
    )
    timezone: str = Field(
        "UTC",
        min_length=1,
        max_length=64,
        description="IANA name of the time zone by whose calendar budgets begin anew.",
        examples=["Europe/Berlin"],
    )
    terms: list[TermSection] = Field(
        [],
        max_length=100,
        description="The lab's terms, by which `labpool usage --by term` sums up. Days between them are in no term.",
    )
    flavours: dict[Slug, FlavourSection] = Field({}, description="Kinds of device, by name.")
    simulated: SimulatedSection = Field(
        SimulatedSection(), description="Stand-ins for GPUs, used only where none is found and said so everywhere."
    )
    limits: LimitsSection = Field(LimitsSection(), description="Caps on each user over all projects.")
    profiles: dict[Slug, ProfileSection] = Field({}, description="What a researcher picks, by name.")
    projects: dict[Slug, ProjectSection] = Field({}, description="Project spaces, by name.")
    datasets: dict[Slug, DatasetSection] = Field({}, description="Data that projects may read, by name.")
    queue: QueueSection = Field(QueueSection(), description="Times of the queue.")
    kubernetes: KubernetesSection = Field(
        KubernetesSection(), description="Where servers run, where they are pods of a Kubernetes cluster."
    )
    kueue: KueueSection = Field(KueueSection(), description="How queues are named and run where Kueue decides.")
    audit: AuditSection = Field(AuditSection(), description="How the audit trail is kept safe.")
    notices: NoticesSection = Field(NoticesSection(), description="How notices reach people who are not looking.")
