"""What somebody who waits could have at once instead: the same for less time, or another profile of the project."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from labpool.domain.catalogue import Profile
from labpool.domain.planned_schedule import schedule_of
from labpool.domain.requests import Admitted, Request, check_request
from labpool.domain.schedule import Schedule
from labpool.domain.tickets import State, Ticket
from labpool.domain.world import World

STEP = timedelta(minutes=15)
"""Offered times are whole numbers of these: hours that one can ask for, and that still fit a moment later."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A profile that would start now, with the time it could be had for."""

    profile: Profile
    duration: timedelta


def sooner(ticket: Ticket, world: World, now: datetime) -> tuple[Offer, ...]:
    """What would start at `now` in place of a queued `ticket`, without delaying anybody; nothing for other tickets.

    First the same profile for less time, then others of the project for the same time, or as long as they can be had.
    """
    project = world.catalogue.projects.get(ticket.project)
    if ticket.state is not State.QUEUED or not ticket.ready or project is None:
        return ()
    if world.verdicts is not None:
        return ()  # what an engine with a queue of its own would let start now, only that engine knows
    names = sorted(project.profiles, key=lambda name: name != ticket.profile)
    profiles = [world.catalogue.profiles[name] for name in names]
    if not _is_any_free({profile.flavour for profile in profiles if profile.flavour}, world, now):
        return ()  # as mostly where somebody waits; a schedule of all who do would say the same, much later
    schedule = schedule_of(world, now, without=ticket.id)
    offers = (_offer(ticket, profile, world, schedule) for profile in profiles)
    return tuple(offer for offer in offers if offer)


def _is_any_free(flavours: Collection[str], world: World, now: datetime) -> bool:
    held = {device for lease in world.leases if lease.ends > now for device in lease.devices}
    return any(not held.issuperset(on) for flavour in flavours for on in world.usable_devices(flavour).values())


def _offer(ticket: Ticket, profile: Profile, world: World, schedule: Schedule) -> Offer | None:
    if profile.flavour is None:
        return None
    wanted = min(ticket.duration, profile.longest)
    request = Request(ticket.user, ticket.groups, ticket.name, ticket.project, profile.name, wanted)
    admitted = check_request(request, world.catalogue, world.inventory, world.tickets, world.reservations)
    if not isinstance(admitted, Admitted):
        return None
    instead = replace(ticket, profile=profile.name, flavour=admitted.flavour, gpus=admitted.gpus)
    duration = min(wanted, schedule.longest_now(schedule.needs.of(instead)))
    duration = wanted if duration == wanted else duration - duration % STEP
    if (profile.name, duration) == (ticket.profile, ticket.duration):
        return None  # that is the ticket itself, about to start
    return Offer(profile, duration) if duration >= max(world.catalogue.queue.shortest, STEP) else None
