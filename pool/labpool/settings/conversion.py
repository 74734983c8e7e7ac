"""From pool.yaml's sections to the domain's values."""

from __future__ import annotations

from datetime import timedelta, timezone, tzinfo

from labpool.domain.budgets import Budget, Per
from labpool.domain.catalogue import Catalogue, Flavour, Limits, Profile, Project, QueueRules, UserLimit
from labpool.domain.inventory import Device, Node
from labpool.domain.tickets import Priority
from labpool.settings.flavour_section import FlavourSection
from labpool.settings.pool_yaml import (
    BudgetSection,
    LimitsSection,
    OtherLimitSection,
    PoolYaml,
    ProjectSection,
    QueueSection,
    UserLimitSection,
)
from labpool.settings.profile_section import ProfileSection
from labpool.settings.simulated_section import SimulatedSection
from labpool.settings.term_section import terms_of
from labpool.settings.time_zones import zone_named


def catalogue_of(sections: PoolYaml) -> Catalogue:
    """What the lab decided, as the rules see it."""
    zone = zone_named(sections.timezone) or timezone.utc
    return Catalogue(
        flavours={name: _flavour(name, section) for name, section in sections.flavours.items()},
        profiles={name: _profile(name, section) for name, section in sections.profiles.items()},
        projects={name: _project(name, section, zone) for name, section in sections.projects.items()},
        limits=_limits(sections.limits),
        queue=_queue(sections.queue),
        zone=zone,
        terms=terms_of(sections.terms),
    )


def simulated_nodes(section: SimulatedSection) -> tuple[Node, ...]:
    """The machines that stand in where no device is found."""
    return tuple(Node(node.name, node.cpu, node.memory_gib) for node in section.nodes)


def simulated_devices(sections: PoolYaml) -> tuple[Device, ...]:
    """The devices that stand in where none is found; ids are the same at each start."""
    return tuple(
        Device(
            id=f"sim:{node.name}:{flavour}:{index}",
            flavour=flavour,
            node=node.name,
            index=index,
            memory_gib=sections.flavours[flavour].gpu_memory_gib,
            simulated=True,
        )
        for node in sections.simulated.nodes
        for flavour, count in node.devices.items()
        for index in range(count)
    )


def _flavour(name: str, section: FlavourSection) -> Flavour:
    return Flavour(name, section.title, section.gpu_memory_gib, section.charge)


def _profile(name: str, section: ProfileSection) -> Profile:
    return Profile(
        name=name,
        title=section.title,
        flavour=section.flavour,
        gpus=section.gpus,
        cpu=section.cpu,
        memory_gib=section.memory_gib,
        longest=timedelta(hours=section.max_hours),
        preset=section.preset or preset_for(section.gpus),
        precision=section.precision,
        xla=section.xla,
        priority=Priority(section.priority),
        longest_in_all=timedelta(hours=section.max_total_hours) if section.max_total_hours is not None else None,
    )


def preset_for(gpus: int) -> str:
    """The preset of a profile that names none."""
    return "mirrored" if gpus > 1 else "single" if gpus else "cpu"


def _project(name: str, section: ProjectSection, zone: tzinfo) -> Project:
    return Project(
        name=name,
        title=section.title,
        users=frozenset(section.members.users),
        groups=frozenset(section.members.groups),
        owner_users=frozenset(section.owners.users),
        owner_groups=frozenset(section.owners.groups),
        everyone=section.members.everyone,
        nominal=dict(section.nominal),
        borrow=dict(section.borrow),
        lend=dict(section.lend),
        weight=section.weight,
        profiles=tuple(section.profiles),
        budget=_budget(section.budget, zone) if section.budget else None,
    )


def _budget(section: BudgetSection, zone: tzinfo) -> Budget:
    return Budget(section.gpu_hours, Per(section.per), zone)


def _limits(section: LimitsSection) -> Limits:
    return Limits(
        everybody=UserLimit(section.user.gpus, section.user.servers, section.user.queued),
        groups={name: _other(section.user, other) for name, other in section.groups.items()},
        users={name: _other(section.user, other) for name, other in section.users.items()},
    )


def _other(default: UserLimitSection, other: OtherLimitSection) -> UserLimit:
    return UserLimit(
        gpus=default.gpus if other.gpus is None else other.gpus,
        servers=default.servers if other.servers is None else other.servers,
        queued=default.queued if other.queued is None else other.queued,
    )


def _queue(section: QueueSection) -> QueueRules:
    return QueueRules(
        claim=timedelta(minutes=section.claim_minutes),
        restart=timedelta(minutes=section.restart_minutes),
        end_grace=timedelta(minutes=section.end_grace_minutes),
        turnover=timedelta(minutes=section.turnover_minutes),
        expiry=timedelta(hours=section.expiry_hours),
        shortest=timedelta(minutes=section.shortest_minutes),
        notices=tuple(timedelta(minutes=minutes) for minutes in sorted(set(section.notice_minutes), reverse=True)),
        start_tries=section.start_tries,
        half_life=timedelta(days=section.half_life_days),
        unpromised=timedelta(hours=section.unpromised_hours),
        wait_before_taking=timedelta(minutes=section.wait_before_taking_minutes),
        grace=timedelta(minutes=section.grace_minutes),
        placement=timedelta(minutes=section.placement_minutes),
        borrow_min=timedelta(minutes=section.borrow_min_minutes),
    )
