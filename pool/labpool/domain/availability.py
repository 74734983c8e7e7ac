"""What somebody who asked now would meet: for the form, before a ticket exists."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from labpool.domain.catalogue import Profile, Project
from labpool.domain.needs import Cap, Need
from labpool.domain.planned_schedule import schedule_of
from labpool.domain.sooner import STEP
from labpool.domain.world import World


@dataclass(frozen=True, slots=True)
class Stand:
    """Devices of a flavour: all there are, those free now, and when the next may be had; None where none ever."""

    total: int
    free: int
    next_free: datetime | None


@dataclass(frozen=True, slots=True)
class Availability:
    """What a profile with its longest hours would meet: its start as planned now; None where none can be planned.

    The longest hours are those that a whole period of the project's budget has, where the profile's are more.
    `longest_now` is for how long it would start now and disturb nobody; 0 where it wouldn't.
    """

    starts_now: bool
    next_start: datetime | None
    longest_now: timedelta = timedelta(0)


def stand(world: World, flavour: str, now: datetime) -> Stand:
    """How many devices of `flavour` are free at `now`. A free one may still be promised to somebody for later."""
    usable = {device for devices in world.usable_devices(flavour).values() for device in devices}
    leased = {device for lease in world.leases for device in lease.devices}
    need = Need("", flavour, 1, world.catalogue.queue.shortest, ())
    place = schedule_of(world, now).earliest(need)
    total = len(world.inventory.of_flavour(flavour))
    return Stand(total, len(usable - leased), place.start if place else None)


def availability(
    world: World, project: Project, profile: Profile, user: str, groups: Set[str], now: datetime
) -> Availability:
    """When `user` would start with `profile` in `project` for its longest hours, asked for at `now`."""
    if profile.flavour is None:
        return Availability(True, now, profile.longest)
    if world.verdicts is not None and any(ticket.project == project.name for ticket in world.line()):
        return Availability(False, None)  # the engine lets them go first, whatever is free
    limit = world.catalogue.limits.of(user, frozenset(groups)).gpus
    caps = (
        Cap(("user", user), profile.gpus, limit),
        Cap(("project", project.name, profile.flavour), profile.gpus, project.most_at_once(profile.flavour)),
    )
    longest = profile.longest
    if project.budget:
        longest = min(longest, project.budget.longest(world.catalogue.rate(profile.flavour, profile.gpus)))
    if longest < world.catalogue.queue.shortest:
        return Availability(False, None)
    need = Need("", profile.flavour, profile.gpus, longest, caps, project=project.name)
    schedule = schedule_of(world, now)
    place = schedule.earliest(need)
    if place is not None and place.start == now:
        return Availability(True, now, longest)
    possible = min(schedule.longest_now(need), longest)
    possible -= possible % STEP
    fits = possible >= max(world.catalogue.queue.shortest, STEP)
    return Availability(False, place.start if place else None, possible if fits else timedelta(0))
