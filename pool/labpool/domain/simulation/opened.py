"""A pool's rules as a trace needs them: it knows names, and not who is a member of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from labpool.domain.catalogue import Catalogue, Profile
from labpool.domain.simulation.trace import Arrival

SHORTEST = timedelta(microseconds=1)


def opened(catalogue: Catalogue, arrivals: Sequence[Arrival]) -> Catalogue:
    """The rules with every project open to everybody, for any number of hours, and a profile for each request."""
    longest = timedelta(seconds=max(arrival.wall_s for arrival in arrivals))
    asked = {profile_of(arrival, catalogue): arrival for arrival in arrivals if arrival.flavour in catalogue.flavours}
    profiles = {name: _profile(name, asked[name], catalogue, longest) for name in sorted(asked)}
    projects = {
        name: replace(project, everyone=True, profiles=tuple(profiles)) for name, project in catalogue.projects.items()
    }
    queue = replace(catalogue.queue, shortest=SHORTEST)
    return replace(catalogue, profiles=profiles, projects=projects, queue=queue)


def profile_of(arrival: Arrival, catalogue: Catalogue) -> str:
    """The profile that was picked, where it is still the same one; else one made up, which needs devices only."""
    known = catalogue.profiles.get(arrival.profile)
    if known is not None and (known.flavour, known.gpus) == (arrival.flavour, arrival.gpus):
        return known.name
    return f"{arrival.gpus} of {arrival.flavour}"


def _profile(name: str, arrival: Arrival, catalogue: Catalogue, longest: timedelta) -> Profile:
    known = catalogue.profiles.get(name)
    return replace(known, longest=longest) if known else Profile.plain(name, arrival.flavour, arrival.gpus, longest)
