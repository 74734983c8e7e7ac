"""What an admin changed of the lab's rules while the pool runs, for a while or until further notice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from labpool.domain.catalogue import Catalogue, PersonalLimit, Project


class Rule(str, Enum):
    """What can be changed: caps of a user, and what a project may hold and use."""

    USER_GPUS = "user_gpus"
    USER_QUEUED = "user_queued"
    NOMINAL = "nominal"
    BORROW = "borrow"
    LEND = "lend"
    WEIGHT = "weight"
    BUDGET = "budget"

    @property
    def of_user(self) -> bool:
        """Whether it is a user's; else it is a project's."""
        return self in {Rule.USER_GPUS, Rule.USER_QUEUED}

    @property
    def of_flavour(self) -> bool:
        """Whether it counts devices of one flavour."""
        return self in {Rule.NOMINAL, Rule.BORROW, Rule.LEND}


@dataclass(frozen=True, slots=True)
class Override:
    """Another value of one rule for the user or project `name`, in place of the file's: who, when and why.

    It ends at `until`, or where that is None when an admin says so. GPU-hours of a budget are those of each period.
    """

    id: str
    rule: Rule
    name: str
    flavour: str
    value: float
    why: str
    made_by: str
    made_at: datetime
    until: datetime | None = None

    @property
    def subject(self) -> tuple[Rule, str, str]:
        """What it is about; of one thing there is one override at the most."""
        return self.rule, self.name, self.flavour

    @property
    def what(self) -> str:
        """The same in words."""
        return f"{self.rule.value} {self.flavour + ' ' if self.flavour else ''}of {self.name}"

    def is_over(self, now: datetime) -> bool:
        """Whether its end has come."""
        return self.until is not None and self.until <= now


def with_overrides(catalogue: Catalogue, overrides: Iterable[Override], now: datetime) -> Catalogue:
    """The rules of the file with those that are changed at `now`; what is changed of a project that is gone is not."""
    standing = [each for each in overrides if not each.is_over(now)]
    if not standing:
        return catalogue
    personal: dict[str, PersonalLimit] = {}
    projects = dict(catalogue.projects)
    for each in standing:
        if each.rule.of_user:
            personal[each.name] = _limited(personal.get(each.name, PersonalLimit()), each)
        elif each.name in projects:
            projects[each.name] = _changed(projects[each.name], each)
    return replace(catalogue, projects=projects, limits=replace(catalogue.limits, personal=personal))


def value_of(catalogue: Catalogue, rule: Rule, name: str, flavour: str) -> float | None:
    """What a rule's value is; None where there is nothing to change: no such project, flavour or budget.

    A user's caps are those without the user's groups.
    """
    if rule.of_user:
        limit = catalogue.limits.of(name, frozenset())
        return float(limit.gpus if rule is Rule.USER_GPUS else limit.queued)
    project = catalogue.projects.get(name)
    if project is None or (rule.of_flavour and flavour not in catalogue.flavours):
        return None
    own = project.nominal.get(flavour, 0)
    values: dict[Rule, float | None] = {
        Rule.NOMINAL: own,
        Rule.BORROW: project.borrow.get(flavour, 0),
        Rule.LEND: own - project.never_lent(flavour),
        Rule.WEIGHT: catalogue.weight_of(name),
        Rule.BUDGET: project.budget.gpu_hours if project.budget else None,
    }
    return values[rule]


def _limited(known: PersonalLimit, override: Override) -> PersonalLimit:
    value = int(override.value)
    return replace(known, gpus=value) if override.rule is Rule.USER_GPUS else replace(known, queued=value)


def _changed(project: Project, override: Override) -> Project:
    devices = {override.flavour: int(override.value)}
    match override.rule:
        case Rule.NOMINAL:
            return replace(project, nominal={**project.nominal, **devices})
        case Rule.BORROW:
            return replace(project, borrow={**project.borrow, **devices})
        case Rule.LEND:
            return replace(project, lend={**project.lend, **devices})
        case Rule.WEIGHT:
            return replace(project, weight=override.value)
        case _:
            budget = replace(project.budget, gpu_hours=override.value) if project.budget else None
            return replace(project, budget=budget)
