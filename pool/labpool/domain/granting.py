"""Letting one ticket start ahead of all others, as an admin may: what it takes, and whose promises that breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from labpool.domain.breaking import newly_broken
from labpool.domain.leases import Lease
from labpool.domain.plans import BrokenPromise
from labpool.domain.schedule import Schedule
from labpool.domain.tickets import HOLDING, Event, Ticket
from labpool.domain.timeline import INSTANT
from labpool.domain.world import World

_NODES = 8
"""So many machines are compared at the most: each costs a plan of the whole queue."""


@dataclass(frozen=True, slots=True)
class GrantedFirst:
    """A lease from now on, on the devices that break the fewest promises."""

    lease: Lease
    broken: tuple[BrokenPromise, ...]


def grant_first(world: World, ticket: Ticket, now: datetime) -> GrantedFirst | None:
    """What comes of granting a waiting ticket at once; None where it could not start even if nobody else waited.

    It overtakes places and promises. Leases, reservations, limits, shares and budgets stand.
    """
    found = (_with(world, ticket, lease, now) for lease in _possible(world, ticket, now))
    return min(found, key=lambda each: len(each.broken), default=None)


def alone(world: World, ticket: Ticket) -> World:
    """The world as if nobody but this ticket waited."""
    holding = (each for each in world.tickets if each.state in HOLDING)
    return replace(world, tickets=(*holding, ticket), slots=())


def _possible(world: World, ticket: Ticket, now: datetime) -> Iterator[Lease]:
    schedule = Schedule(alone(world, ticket), now)
    need = schedule.needs.of(ticket)
    nodes = set(schedule.nodes_of(ticket.flavour))
    for _ in range(_NODES):
        place = schedule.earliest(need, now + INSTANT, nodes)
        if place is None:
            return
        nodes.discard(place.node)
        devices = tuple(schedule.unleased(ticket.flavour, place.node)[: ticket.gpus])
        who = (ticket.id, ticket.user, ticket.name, ticket.project, ticket.flavour)
        yield Lease(*who, devices, now, now + ticket.duration)


def _with(world: World, ticket: Ticket, lease: Lease, now: datetime) -> GrantedFirst:
    tickets = tuple(each.after(Event.GRANT, now) if each.id == ticket.id else each for each in world.tickets)
    slots = tuple(slot for slot in world.slots if slot.ticket != ticket.id)
    after = replace(world, tickets=tickets, leases=(*world.leases, lease), slots=slots)
    return GrantedFirst(lease, newly_broken(world, after, now))
