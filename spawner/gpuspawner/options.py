"""What a start asks for. One function reads it, wherever it comes from: form, address, REST, the hub's database."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from labpool.api_models import MOST_HOURS
from labpool.settings import Catalogue, Profile, Project

KEYS = ("project", "profile", "hours")
_IGNORED = frozenset({"_xsrf"})
_LONGEST_NAME = 100
_HOUR_IN_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """A start's project, profile and wall time in hours.

    A profile that pool.yaml doesn't have may still be one the pool made for a card nobody named; it needs a GPU, and
    the pool says whether it exists.
    """

    project: str
    profile: str
    hours: float
    needs_gpu: bool

    def to_store(self) -> dict[str, str | float]:
        """The same as `user_options`, for the hub's database and for a later start."""
        return {key: value for key, value in asdict(self).items() if key in KEYS}


@dataclass(frozen=True, slots=True)
class Person:
    """Who a server is for; groups as the hub knows them now."""

    name: str
    groups: frozenset[str] = frozenset()


class OptionsRefused(Exception):
    """The options name nothing that could be started. `reason` is for programs, `remedy` says what to do."""

    def __init__(self, reason: str, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.reason, self.remedy = reason, remedy


def parse_options(raw: object, person: Person, catalogue: Catalogue, default_profile: str) -> ServerOptions:
    """Read what was asked for, whatever it is.

    A list of one value counts as that value (forms and addresses send such lists) and a number may be written as text.
    Nothing at all means `default_profile` in the person's first project that has it.

    Raises:
        OptionsRefused: with a reason and a remedy, for everything else.
    """
    fields = _fields(raw)
    if not fields:
        return _default(person, catalogue, default_profile)
    project = _project(_text(fields, "project", person, catalogue), person, catalogue)
    name = _text(fields, "profile", person, catalogue)
    profile = catalogue.profiles.get(name)
    if profile is None:
        return ServerOptions(project.name, name, _hours(fields.get("hours"), None), needs_gpu=True)
    _check_offered(project, profile)
    hours = _check_length(_hours(fields.get("hours"), profile), profile, catalogue)
    return ServerOptions(project.name, name, hours, needs_gpu=profile.flavour is not None)


def names_nothing(query: Mapping[str, object]) -> bool:
    """Whether an address has none of our options: left by a refused form (`?_xsrf=`), or a tracker's decoration."""
    return not any(key in query for key in KEYS)


def _fields(raw: object) -> dict[str, object]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise OptionsRefused("not_an_object", "The options are not an object with named fields.", _expected())
    fields = {key: _single(value) for key, value in raw.items() if key not in _IGNORED}
    unknown = [key for key in fields if key not in KEYS]
    if unknown:
        raise OptionsRefused("unknown_option", f"There is no option {quoted(unknown[0])}.", _expected())
    return {key: value for key, value in fields.items() if value not in (None, "")}


def _single(value: object) -> object:
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 else value


def _expected() -> str:
    return 'Send "project", "profile" and "hours", and nothing else.'


def _default(person: Person, catalogue: Catalogue, default_profile: str) -> ServerOptions:
    for project in catalogue.projects_of(person.name, person.groups):
        profile = catalogue.profiles.get(default_profile)
        if profile is not None and profile.flavour is None and default_profile in project.profiles:
            return ServerOptions(project.name, profile.name, _longest(profile), needs_gpu=False)
    message = f"No project of yours has the profile {quoted(default_profile)}, which starts when nothing is chosen."
    raise OptionsRefused("no_default", message, f"Choose a project and a profile. {_your_projects(person, catalogue)}")


def _text(fields: Mapping[str, object], key: str, person: Person, catalogue: Catalogue) -> str:
    value = fields.get(key)
    if value is None:
        raise OptionsRefused(f"{key}_missing", f"The {key} is missing.", _your_projects(person, catalogue))
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
        message = f"The {key} is {quoted(value)}, expected a name."
        raise OptionsRefused(f"unknown_{key}", message, _your_projects(person, catalogue))
    return value


def _project(name: str, person: Person, catalogue: Catalogue) -> Project:
    project = catalogue.projects.get(name)
    if project is None:
        raise OptionsRefused(
            "unknown_project", f"There is no project {quoted(name)}.", _your_projects(person, catalogue)
        )
    if not project.has_member(person.name, person.groups):
        message = f"You are not a member of the project {quoted(name)}."
        raise OptionsRefused("not_a_member", message, f"Ask its owners. {_your_projects(person, catalogue)}")
    return project


def _your_projects(person: Person, catalogue: Catalogue) -> str:
    names = [project.name for project in catalogue.projects_of(person.name, person.groups)]
    return f"Your projects: {', '.join(names)}." if names else "You are in no project yet; ask a lab admin to add you."


def _check_offered(project: Project, profile: Profile) -> None:
    if profile.name not in project.profiles:
        message = f"The project {quoted(project.name)} does not offer the profile {quoted(profile.name)}."
        raise OptionsRefused("profile_not_in_project", message, f"It offers: {_listed(project.profiles)}.")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _hours(value: object, profile: Profile | None) -> float:
    if value is None:
        if profile is not None and profile.flavour is None:
            return _longest(profile)
        message = "The hours are missing; a GPU is leased for a time."
        raise OptionsRefused("hours_missing", message, "Say for how many hours you need it, such as 4 or 0.5.")
    hours = _number(value)
    if hours is None or not math.isfinite(hours) or not 0 < hours <= MOST_HOURS:
        message = f"The hours are {quoted(value)}, expected a number above 0 and at most {MOST_HOURS:g}."
        raise OptionsRefused("bad_hours", message, "Say for how many hours you need it, such as 4 or 0.5.")
    return hours


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _check_length(hours: float, profile: Profile, catalogue: Catalogue) -> float:
    longest, shortest = _longest(profile), catalogue.queue.shortest.total_seconds() / _HOUR_IN_SECONDS
    if hours > longest:
        message = f"The profile {quoted(profile.name)} runs for at most {longest:g} hours, you asked for {hours:g}."
        raise OptionsRefused("too_long", message, "Ask for less, or save checkpoints and start again.")
    if hours < shortest:
        message = f"The shortest run is {shortest * 60:g} minutes, you asked for {hours * 60:g}."
        raise OptionsRefused("too_short", message, "Ask for more.")
    return hours


def _longest(profile: Profile) -> float:
    return profile.longest.total_seconds() / _HOUR_IN_SECONDS


def quoted(value: object) -> str:
    """`value` as it can be shown to anybody: one line, plain characters, at most 60 of them."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
