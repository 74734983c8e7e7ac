"""Whether a request can ever be met. One that only has to wait passes here and becomes a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from labpool.domain import refusals
from labpool.domain.catalogue import Catalogue, Profile, Project
from labpool.domain.inventory import Inventory, Node
from labpool.domain.reasons import Refusal
from labpool.domain.reservations import Reservation, most_reserved
from labpool.domain.tickets import State, Ticket
from labpool.domain.usage import booked_hours


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for: a server's name, a project, a profile and a time."""

    user: str
    groups: frozenset[str]
    name: str
    project: str
    profile: str
    duration: timedelta


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that can be met, now or after waiting."""

    project: Project
    profile: Profile
    flavour: str
    gpus: int


def check_request(
    request: Request,
    catalogue: Catalogue,
    inventory: Inventory,
    tickets: Sequence[Ticket],
    reservations: Sequence[Reservation] = (),
) -> Admitted | Refusal:
    """Decide whether `request` may become a ticket; the first thing in its way is the one that is said.

    `tickets` may hold everybody's; a waiting ticket of the same server does not count: the request would not add one.

    Raises:
        ValueError: the profile needs no devices; its server never asks the pool.
    """
    chosen = _choose(request, catalogue)
    if isinstance(chosen, Refusal):
        return chosen
    project, profile = chosen
    if profile.flavour is None:
        raise ValueError(f"profile {profile.name} needs no GPU; expected a request for a profile with a flavour")
    admitted = Admitted(project, profile, profile.flavour, profile.gpus)
    return (
        _check_duration(request, profile, catalogue)
        or _check_size(request, admitted, catalogue, reservations)
        or _check_budget(request, admitted, catalogue)
        or _check_hardware(admitted, catalogue, inventory)
        or _check_queued(request, catalogue, tickets)
        or admitted
    )


def _choose(request: Request, catalogue: Catalogue) -> tuple[Project, Profile] | Refusal:
    project = catalogue.projects.get(request.project)
    open_to = catalogue.projects_of(request.user, request.groups)
    if project is None:
        return refusals.unknown_project(request.project, open_to)
    if project not in open_to:
        return refusals.not_a_member(project, open_to)
    profile = catalogue.profiles.get(request.profile)
    if profile is None:
        return refusals.unknown_profile(request.profile, project)
    if profile.name not in project.profiles:
        return refusals.profile_not_in_project(profile, project)
    return project, profile


def _check_duration(request: Request, profile: Profile, catalogue: Catalogue) -> Refusal | None:
    if request.duration < catalogue.queue.shortest:
        return refusals.too_short(request.duration, catalogue.queue.shortest)
    return refusals.too_long(request.duration, profile) if request.duration > profile.longest else None


def _check_size(
    request: Request, asked: Admitted, catalogue: Catalogue, reservations: Sequence[Reservation]
) -> Refusal | None:
    limit = catalogue.limits.of(request.user, request.groups).gpus
    if asked.gpus > limit:
        return refusals.over_user_limit(asked.profile, limit)
    more = most_reserved(reservations, asked.project.name, asked.flavour)
    if asked.gpus > asked.project.most_at_once(asked.flavour) + more:
        return refusals.over_project_limit(asked.profile, asked.project, catalogue.flavours[asked.flavour])
    return None


def _check_budget(request: Request, asked: Admitted, catalogue: Catalogue) -> Refusal | None:
    budget = asked.project.budget
    wanted = booked_hours(asked.gpus, catalogue.charge_of(asked.flavour), request.duration)
    if budget is None or wanted <= budget.gpu_hours:
        return None
    return refusals.over_budget(asked.profile, asked.project, wanted, budget)


def _check_hardware(asked: Admitted, catalogue: Catalogue, inventory: Inventory) -> Refusal | None:
    flavour = catalogue.flavours[asked.flavour]
    total = len(inventory.of_flavour(flavour.name))
    if asked.gpus > total:
        return refusals.over_flavour(asked.profile, flavour, total)
    keeping = [each for each in catalogue.projects.values() if each != asked.project and each.never_lent(flavour.name)]
    lent = max(total - sum(each.never_lent(flavour.name) for each in keeping), 0)
    if asked.gpus > lent:
        return refusals.kept_for_others(asked.profile, flavour, lent, keeping)
    counts = inventory.by_node(flavour.name)
    most = max(counts.values(), default=0)
    if asked.gpus > most:
        return refusals.over_node(asked.profile, flavour, most)
    hosts = [node for node in inventory.nodes if counts.get(node.name, 0) >= asked.gpus]
    fitting = [node for node in hosts if _fits(asked.profile, node)]
    return None if fitting or not hosts else refusals.over_host(asked.profile, hosts)


def _fits(profile: Profile, node: Node) -> bool:
    """Whether a node has the CPU and memory; one that doesn't say how much it has has enough."""
    return not (node.cpu and node.memory_gib) or (profile.cpu <= node.cpu and profile.memory_gib <= node.memory_gib)


def _check_queued(request: Request, catalogue: Catalogue, tickets: Sequence[Ticket]) -> Refusal | None:
    waiting = [t for t in tickets if t.user == request.user and t.state is State.QUEUED and t.name != request.name]
    limit = catalogue.limits.of(request.user, request.groups).queued
    return refusals.too_many_queued(len(waiting), limit) if len(waiting) >= limit else None
