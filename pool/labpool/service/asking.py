"""What a request for a server's lease comes to, before anything is written: a lease, a ticket, a new one, a refusal."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from labpool.api_models import SpawnAsked
from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease
from labpool.domain.reasons import Refusal, RefusalReason
from labpool.domain.requests import Request, check_request
from labpool.domain.tickets import Ticket
from labpool.domain.words import count, server, span
from labpool.domain.world import World
from labpool.store import Transaction


@dataclass(frozen=True, slots=True)
class Holds:
    """The asker has a lease: start with it."""

    ticket: Ticket
    lease: Lease


@dataclass(frozen=True, slots=True)
class Waits:
    """The asker has a ticket in the queue."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Files:
    """The asker gets this new ticket."""

    ticket: Ticket


def answer(asked: SpawnAsked, view: Transaction, world: World, now: datetime) -> Holds | Waits | Files | Refusal:
    """Decide what `asked` comes to. Asking again for the same server never makes a second ticket."""
    for ticket in world.tickets:
        if (ticket.user, ticket.name) == (asked.user, asked.name):
            return _again(ticket, view.lease_of(ticket.id), asked, world.inventory)
    if asked.granted_only:
        return _has_ended(asked)
    profile = world.catalogue.profiles.get(asked.profile)
    if profile is not None and profile.flavour is None:
        return _needs_no_device(asked.profile)
    hours = timedelta(hours=asked.hours)
    request = Request(asked.user, frozenset(asked.groups), asked.name, asked.project, asked.profile, hours)
    admitted = check_request(request, world.catalogue, world.inventory, world.tickets, world.reservations)
    if isinstance(admitted, Refusal):
        return admitted
    return Files(
        Ticket(
            id=secrets.token_hex(8),
            user=request.user,
            groups=request.groups,
            name=request.name,
            project=request.project,
            profile=request.profile,
            flavour=admitted.flavour,
            gpus=admitted.gpus,
            duration=request.duration,
            requested_at=now,
            priority=admitted.profile.priority,
        )
    )


def _again(ticket: Ticket, lease: Lease | None, asked: SpawnAsked, inventory: Inventory) -> Holds | Waits | Refusal:
    if lease is None:
        return Waits(ticket) if _same(ticket, asked) else _waits_for_other(ticket)
    if lease.stopping_since is not None:
        return _is_ending(ticket)
    if (ticket.project, ticket.profile) != (asked.project, asked.profile):
        return _holds_other_lease(ticket, lease)
    if inventory.lost_node(lease.devices) is not None:
        return _is_lost(ticket)
    return Holds(ticket, lease)


def _same(ticket: Ticket, asked: SpawnAsked) -> bool:
    wanted = (asked.project, asked.profile, timedelta(hours=asked.hours))
    return (ticket.project, ticket.profile, ticket.duration) == wanted


def _needs_no_device(profile: str) -> Refusal:
    return Refusal(
        RefusalReason.PROFILE_NEEDS_NO_DEVICE,
        f"The profile {profile} uses no GPU, so there is nothing to lease for it.",
        "Start it without asking the pool.",
    )


def _waits_for_other(ticket: Ticket) -> Refusal:
    return Refusal(
        RefusalReason.SERVER_WAITS_FOR_OTHER,
        f"{_server(ticket)} already waits for {count(ticket.gpus, 'GPU')} for {span(ticket.duration)} "
        f"(profile {ticket.profile}, project {ticket.project}).",
        "Leave the queue on the page of its ticket first, or ask for this under another server name.",
    )


def _holds_other_lease(ticket: Ticket, lease: Lease) -> Refusal:
    held = f"{count(len(lease.devices), 'GPU')} (profile {ticket.profile}, project {ticket.project})"
    return Refusal(
        RefusalReason.SERVER_HOLDS_OTHER_LEASE,
        f"{_server(ticket)} still holds {held}.",
        f"Start it with the profile {ticket.profile} again, or give that back on the page of its ticket first.",
    )


def _is_ending(ticket: Ticket) -> Refusal:
    return Refusal(
        RefusalReason.SERVER_IS_ENDING,
        f"{_server(ticket)} is being stopped.",
        "Try again in a minute: a new ticket is filed then.",
    )


def _is_lost(ticket: Ticket) -> Refusal:
    return Refusal(
        RefusalReason.SERVER_IS_LOST,
        f"The machine that {server(ticket.name)} has GPUs on is down or does not answer.",
        "Wait on the page of its ticket: if the machine is not back soon, the ticket is in line again by itself.",
    )


def _has_ended(asked: SpawnAsked) -> Refusal:
    named = server(asked.name)
    return Refusal(
        RefusalReason.SERVER_IS_ENDING,
        f"The lease of {named} ended before the pool could start it.",
        "Start it yourself if you still need it.",
    )


def _server(ticket: Ticket) -> str:
    named = server(ticket.name)
    return named[0].upper() + named[1:]
