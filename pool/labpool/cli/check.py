"""What `labpool check` finds out about a pool.yaml on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labpool.cli.devices import devices_of
from labpool.domain.budgets import Budget
from labpool.domain.catalogue import Catalogue, Flavour, Profile, Project
from labpool.domain.inventory import Inventory
from labpool.settings import (
    Finding,
    InvalidPoolFile,
    complete_catalogue,
    hidden_profiles,
    load_pool_file,
    overcommitted_findings,
)


@dataclass(frozen=True, slots=True)
class FlavourRow:
    """A kind of device and how many there are."""

    name: str
    title: str
    devices: int
    memory_gib: float
    named: bool


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """What a researcher may pick; `hidden` is the reason why nobody sees it, "" where it is offered."""

    name: str
    title: str
    flavour: str | None
    gpus: int
    max_hours: float
    hidden: str


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """GPU-hours in each period of a time zone's calendar."""

    gpu_hours: float
    per: str
    timezone: str


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project and its devices by flavour. `lend` tells all that are lent, also where the file doesn't say so."""

    name: str
    title: str
    nominal: dict[str, int]
    borrow: dict[str, int]
    lend: dict[str, int]
    budget: BudgetRow | None
    profiles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found. With errors there is nothing but them."""

    path: Path
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    simulated: bool = False
    flavours: tuple[FlavourRow, ...] = ()
    profiles: tuple[ProfileRow, ...] = ()
    projects: tuple[ProjectRow, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether the pool can run with this file."""
        return not self.errors


def check_file(path: Path) -> Report:
    """Read the file at `path`, look for devices, and tell what comes of both."""
    try:
        pool_file = load_pool_file(path)
    except InvalidPoolFile as error:
        return Report(path, errors=error.findings)
    inventory = devices_of(pool_file)
    catalogue = complete_catalogue(pool_file.catalogue, inventory)
    hidden = hidden_profiles(catalogue, inventory)
    return Report(
        path,
        warnings=(*pool_file.warnings, *overcommitted_findings(pool_file, inventory)),
        simulated=inventory.simulated,
        flavours=tuple(_flavour(f, inventory, pool_file.catalogue) for f in catalogue.flavours.values()),
        profiles=tuple(_profile(p, hidden.get(p.name, "")) for p in catalogue.profiles.values()),
        projects=tuple(_project(p) for p in catalogue.projects.values()),
    )


def _flavour(flavour: Flavour, inventory: Inventory, written: Catalogue) -> FlavourRow:
    devices = len(inventory.of_flavour(flavour.name))
    return FlavourRow(flavour.name, flavour.title, devices, flavour.memory_gib, flavour.name in written.flavours)


def _profile(profile: Profile, hidden: str) -> ProfileRow:
    hours = profile.longest.total_seconds() / 3600
    return ProfileRow(profile.name, profile.title, profile.flavour, profile.gpus, hours, hidden)


def _project(project: Project) -> ProjectRow:
    lend = {flavour: own - project.never_lent(flavour) for flavour, own in project.nominal.items()}
    budget = _budget(project.budget) if project.budget else None
    devices = (dict(project.nominal), dict(project.borrow), lend)
    return ProjectRow(project.name, project.title, *devices, budget, project.profiles)


def _budget(budget: Budget) -> BudgetRow:
    return BudgetRow(budget.gpu_hours, budget.per.value, str(budget.zone))
