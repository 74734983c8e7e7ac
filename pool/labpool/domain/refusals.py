"""Refusals in words: what was asked, what is possible, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from labpool.domain.budgets import Budget
from labpool.domain.catalogue import Flavour, Profile, Project
from labpool.domain.inventory import Node
from labpool.domain.reasons import Refusal, RefusalReason
from labpool.domain.words import count, decimal, gpu_hours, gpus, listed, span


def unknown_project(asked: str, open_to: tuple[Project, ...]) -> Refusal:
    """No project has the name that was asked for."""
    return Refusal(
        RefusalReason.UNKNOWN_PROJECT, f'There is no project "{asked}".', _pick("project", [p.name for p in open_to])
    )


def not_a_member(project: Project, open_to: tuple[Project, ...]) -> Refusal:
    """The project exists, and the user may not work in it."""
    return Refusal(
        RefusalReason.NOT_A_MEMBER,
        f"You are not a member of {project.title}.",
        f"Ask an owner of {project.title} to add you. " + _pick("project", [p.name for p in open_to]),
    )


def unknown_profile(asked: str, project: Project) -> Refusal:
    """No profile has the name that was asked for."""
    return Refusal(
        RefusalReason.UNKNOWN_PROFILE, f'There is no profile "{asked}".', _pick("profile", list(project.profiles))
    )


def profile_not_in_project(profile: Profile, project: Project) -> Refusal:
    """The profile exists, but not for this project."""
    return Refusal(
        RefusalReason.PROFILE_NOT_IN_PROJECT,
        f"{project.title} has no profile {profile.title}.",
        _pick("profile", list(project.profiles)),
    )


def too_short(asked: timedelta, shortest: timedelta) -> Refusal:
    """Less time than anybody may ask for."""
    return Refusal(
        RefusalReason.TOO_SHORT,
        f"You asked for {span(asked)}; the shortest run is {span(shortest)}.",
        f"Ask for {span(shortest)} or more.",
    )


def too_long(asked: timedelta, profile: Profile) -> Refusal:
    """More time than the profile allows."""
    return Refusal(
        RefusalReason.TOO_LONG,
        f"You asked for {span(asked)}; {profile.title} runs for {span(profile.longest)} at most.",
        f"Ask for {span(profile.longest)} or less, and save checkpoints to go on in a next run.",
    )


def over_user_limit(profile: Profile, limit: int) -> Refusal:
    """One request for more devices than one user may ever hold."""
    return Refusal(
        RefusalReason.OVER_USER_LIMIT,
        f"{profile.title} asks for {count(profile.gpus, 'GPU')}; one user may hold {count(limit, 'GPU')} at once.",
        _fewer(limit) + "Ask the lab's admins if you need a higher limit.",
    )


def over_project_limit(profile: Profile, project: Project, flavour: Flavour) -> Refusal:
    """One request for more devices than the project may ever hold."""
    most = project.most_at_once(flavour.name)
    return Refusal(
        RefusalReason.OVER_PROJECT_LIMIT,
        f"{profile.title} asks for {gpus(profile.gpus, flavour.title)}; "
        f"{project.title} may hold {most} at once, its own and borrowed ones together.",
        _fewer(most) + f"Ask an owner of {project.title} about a larger share.",
    )


def over_budget(profile: Profile, project: Project, asked: float, budget: Budget) -> Refusal:
    """One request for more GPU-hours than the project has in a whole period."""
    return Refusal(
        RefusalReason.OVER_BUDGET,
        f"You ask for {gpu_hours(asked)} ({profile.title}); {project.title} has "
        f"{decimal(budget.gpu_hours)} in each {budget.per.value}.",
        f"Ask for less time or fewer GPUs. Ask an owner of {project.title} about a larger budget.",
    )


def kept_for_others(profile: Profile, flavour: Flavour, most: int, others: Sequence[Project]) -> Refusal:
    """One request for more devices than those that others lend."""
    titles = listed([project.title for project in others])
    kept = f"all but {most}" if most else "all"
    return Refusal(
        RefusalReason.KEPT_FOR_OTHERS,
        f"{profile.title} asks for {gpus(profile.gpus, flavour.title)}; {kept} are kept for {titles}.",
        _fewer(most) + f"Ask the owners of {titles} to lend more.",
    )


def over_flavour(profile: Profile, flavour: Flavour, total: int) -> Refusal:
    """One request for more devices than there are."""
    return Refusal(
        RefusalReason.OVER_FLAVOUR,
        f"{profile.title} asks for {gpus(profile.gpus, flavour.title)}; the pool has {total or 'none'}.",
        _fewer(total) + "If that is fewer than usual, tell the lab's admins.",
    )


def over_node(profile: Profile, flavour: Flavour, most: int) -> Refusal:
    """One request for more devices than any one machine holds."""
    return Refusal(
        RefusalReason.OVER_NODE,
        f"{profile.title} asks for {gpus(profile.gpus, flavour.title)} on one machine; none has more than {most}.",
        _fewer(most).strip(),
    )


def over_host(profile: Profile, nodes: Sequence[Node]) -> Refusal:
    """More CPU or memory than any machine with such devices has."""
    cpu, memory = max(node.cpu for node in nodes), max(node.memory_gib for node in nodes)
    return Refusal(
        RefusalReason.OVER_NODE,
        f"{profile.title} asks for {profile.cpu:g} CPU cores and {profile.memory_gib:g} GiB of memory beside its GPUs; "
        f"no machine has more than {cpu:g} and {memory:g}.",
        "Pick a smaller profile, and tell the lab's admins that this one can never start.",
    )


def too_many_queued(queued: int, limit: int) -> Refusal:
    """The user waits for as many servers as one user may."""
    return Refusal(
        RefusalReason.TOO_MANY_QUEUED,
        f"You already wait with {count(queued, 'ticket')}; one user may wait with {limit} at once.",
        "Leave the queue with one of them first.",
    )


def _pick(what: str, names: list[str]) -> str:
    if not names:
        return f"No {what} is open to you: ask the lab's admins for one."
    return f"Pick {listed([f'{what} {name}' for name in names], 'or')}."


def _fewer(most: int) -> str:
    return f"Pick a profile with {count(most, 'GPU')} or fewer. " if most else ""
