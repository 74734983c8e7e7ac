"""The spawn form: what a person may start, and what each choice would meet right now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from jinja2 import Environment, PackageLoader
from labpool.api_models import BudgetView, FlavourView, FormView, ProfileView
from labpool.client import PoolError
from labpool.settings import Catalogue, Profile, Project

from gpuspawner.asking import Asking
from gpuspawner.claim import shared_client
from gpuspawner.hub_errors import NotStarted
from gpuspawner.options import Person

_SECONDS_PER_HOUR = 3600.0
_LONGEST_WAIT = 2.0


class FormSpawner(Protocol):
    """What the form needs to know of the spawner it is for."""

    pool_url: str
    pool_token: str
    pool_timeout: float
    user_options: object

    @property
    def asking(self) -> Asking:
        """Knows who the form is for, and what the lab decided."""


@dataclass(frozen=True, slots=True)
class ProfileCard:
    """One profile of one project. Hours are wall time; `charge` is GPU-hours for one hour of the whole profile.

    `hours_now` are those for which it would start now; 0 where it wouldn't.
    """

    name: str
    title: str
    needs_gpu: bool
    gpus: int
    flavour_title: str
    cpu: float
    memory_gib: float
    longest_hours: float
    charge: float
    free: int | None
    total: int | None
    hours_now: float
    next_start: str
    unavailable: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class ProjectChoice:
    """One project, what it offers, and how its budget stands where it has one and the pool tells."""

    name: str
    title: str
    cards: tuple[ProfileCard, ...] = field(default=())
    budget: BudgetView | None = None


async def render_form(spawner: FormSpawner) -> str:
    """The form's fields as HTML, with live counts where the pool answers."""
    live = await _live(spawner)
    projects = choices(spawner.asking.person, spawner.asking.catalogue, live)
    chosen = _chosen(spawner)
    return (
        _environment()
        .get_template("spawn_form.html")
        .render(
            projects=projects,
            chosen=chosen,
            pool_answers=live is not None,
            simulated=live is not None and live.pool.simulated,
            shortest_hours=spawner.asking.catalogue.queue.shortest.total_seconds() / _SECONDS_PER_HOUR,
        )
    )


def choices(person: Person, catalogue: Catalogue, live: FormView | None) -> tuple[ProjectChoice, ...]:
    """What `person` may choose. Profiles that only the pool knows (cards nobody named) come last."""
    budgets = {budget.project: budget for budget in live.pool.budgets} if live else {}
    return tuple(
        ProjectChoice(project.name, project.title, _cards(project, catalogue, live), budgets.get(project.name))
        for project in catalogue.projects_of(person.name, person.groups)
    )


def _cards(project: Project, catalogue: Catalogue, live: FormView | None) -> tuple[ProfileCard, ...]:
    views = {view.name: view for view in live.projects.get(project.name, ())} if live else {}
    flavours = {view.name: view for view in live.pool.flavours} if live else {}
    named = [
        _card(catalogue.profiles[name], catalogue, views.get(name), flavours)
        for name in project.profiles
        if name in catalogue.profiles
    ]
    return (*named, *(_unnamed_card(view, flavours) for name, view in views.items() if name not in catalogue.profiles))


def _card(
    profile: Profile, catalogue: Catalogue, view: ProfileView | None, flavours: Mapping[str, FlavourView]
) -> ProfileCard:
    flavour = flavours.get(profile.flavour or "")
    longest = profile.longest.total_seconds() / _SECONDS_PER_HOUR
    charge = catalogue.flavours[profile.flavour].charge * profile.gpus if profile.flavour else 0.0
    return ProfileCard(
        name=profile.name,
        title=profile.title,
        needs_gpu=profile.flavour is not None,
        gpus=profile.gpus,
        flavour_title=catalogue.flavours[profile.flavour].title if profile.flavour else "",
        cpu=profile.cpu,
        memory_gib=profile.memory_gib,
        longest_hours=longest,
        charge=charge,
        free=flavour.free if flavour else None,
        total=flavour.total if flavour else None,
        hours_now=longest if profile.flavour is None else view.hours_now if view else 0.0,
        next_start=view.next_start.isoformat() if view and view.next_start else "",
        unavailable=view.unavailable if view else "",
        simulated=flavour is not None and flavour.simulated,
    )


def _unnamed_card(view: ProfileView, flavours: Mapping[str, FlavourView]) -> ProfileCard:
    flavour = flavours.get(view.flavour or "")
    return ProfileCard(
        name=view.name,
        title=view.title,
        needs_gpu=True,
        gpus=view.gpus,
        flavour_title=flavour.title if flavour else "",
        cpu=view.cpu,
        memory_gib=view.memory_gib,
        longest_hours=view.max_hours,
        charge=float(view.gpus),
        free=flavour.free if flavour else None,
        total=flavour.total if flavour else None,
        hours_now=view.hours_now,
        next_start=view.next_start.isoformat() if view.next_start else "",
        unavailable=view.unavailable,
        simulated=flavour is not None and flavour.simulated,
    )


async def _live(spawner: FormSpawner) -> FormView | None:
    # a form without counts after a moment is better than one with counts after the pool's longest wait
    timeout = min(spawner.pool_timeout, _LONGEST_WAIT)
    client = shared_client(spawner.pool_url, spawner.pool_token, timeout)
    try:
        return await client.form(spawner.asking.person.name, sorted(spawner.asking.person.groups))
    except PoolError:
        return None


def _chosen(spawner: FormSpawner) -> dict[str, str | float]:
    """The choice shown at first: the last one where it still holds, else the default."""
    return _parsed(spawner, spawner.user_options) or _parsed(spawner, None)


def _parsed(spawner: FormSpawner, raw: object) -> dict[str, str | float]:
    try:
        return spawner.asking.options_to_store(raw)
    except NotStarted:
        return {}


@cache
def _environment() -> Environment:
    return Environment(loader=PackageLoader("gpuspawner"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
