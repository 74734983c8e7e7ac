"""What the pool's page shows admins of machines, GPUs and rules, and offers them to do there."""

from __future__ import annotations

from typing import NamedTuple

from labpool.api_models import OverrideView
from labpool.domain.catalogue import Flavour, Project
from labpool.domain.inventory import Device
from labpool.domain.overrides import Override, Rule
from labpool.domain.withdrawals import Act, Withdrawal
from labpool.domain.words import decimal
from labpool.hub_signin import SignedIn
from labpool.service.access import ADMIN
from labpool.service.desk import Desk
from labpool.service.overriding import override_view

_RULES = {
    Rule.NOMINAL: "GPUs of its own",
    Rule.BORROW: "GPUs that it may borrow",
    Rule.LEND: "GPUs that it lends",
    Rule.WEIGHT: "Weight",
    Rule.BUDGET: "GPU-hours in each period",
    Rule.USER_GPUS: "GPUs at once",
    Rule.USER_QUEUED: "Tickets waiting at once",
}


class Drained(NamedTuple):
    """A machine or a GPU that takes nothing new by an admin's word."""

    act: Withdrawal
    name: str


class Changed(NamedTuple):
    """A rule that is not the file's, in words."""

    view: OverrideView
    what: str
    value: str
    file_value: str


class RuleChoice(NamedTuple):
    """A rule that can be changed. `of` is what it is of: a flavour of a project's, a project or a user."""

    name: str
    words: str
    of: str


class ActsShown(NamedTuple):
    """All of it."""

    drained: tuple[Drained, ...]
    changed: tuple[Changed, ...]
    machines: dict[str, tuple[Device, ...]]
    rules: tuple[RuleChoice, ...]
    projects: tuple[Project, ...]
    flavours: tuple[Flavour, ...]


async def acts_shown(desk: Desk, user: SignedIn) -> ActsShown | None:
    """What admins see; None for others."""
    if not user.has_scope(ADMIN):
        return None
    acts = await desk.view(lambda view: view.acts())
    inventory, catalogue, _ = desk.setting
    return ActsShown(
        drained=tuple(Drained(each, each.device or each.node) for each in acts.withdrawals if each.act is Act.DRAIN),
        changed=tuple(_changed(desk, each) for each in acts.overrides),
        machines={
            node.name: tuple(each for each in inventory.devices if each.node == node.name) for node in inventory.nodes
        },
        rules=tuple(RuleChoice(rule.value, words, _of(rule)) for rule, words in _RULES.items()),
        projects=tuple(catalogue.projects.values()),
        flavours=tuple(catalogue.flavours.values()),
    )


def _of(rule: Rule) -> str:
    if rule.of_user:
        return "user"
    return "flavour" if rule.of_flavour else "project"


def _changed(desk: Desk, override: Override) -> Changed:
    view, catalogue = override_view(desk, override), desk.catalogue
    project, flavour = catalogue.projects.get(override.name), catalogue.flavours.get(override.flavour)
    name = project.title if project and not override.rule.of_user else override.name
    of_flavour = f" ({flavour.title if flavour else override.flavour})" if override.flavour else ""
    file_value = "" if view.file_value is None else decimal(view.file_value)
    return Changed(view, f"{name}: {_RULES[override.rule]}{of_flavour}", decimal(view.value), file_value)
