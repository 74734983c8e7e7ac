"""The plan where an engine with a queue of its own decides: its verdicts, as far as the pool's own rules allow them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from labpool.domain.admissible import Admissible
from labpool.domain.leases import Lease
from labpool.domain.plans import Grant, Plan, Taken
from labpool.domain.tickets import State, Ticket
from labpool.domain.timeline import FOREVER
from labpool.domain.verdicts import Verdict, Verdicts
from labpool.domain.world import World


def plan_admitted(world: World, verdicts: Verdicts, now: datetime) -> Plan:
    """Start whose turn it is, take back what the engine wants back; nobody is promised anything or has a slot.

    Of two whose turn it is and who may not both start, the first in line does. A turn on a machine whose devices are
    not free yet waits until they are.
    """
    if not verdicts.heard:
        return Plan()
    rules = Admissible(world, now)
    grants = tuple(_grants(world, verdicts, rules, now))
    started = {grant.ticket for grant in grants}
    paid = [rules.paid_from(ticket) for ticket in world.line() if ticket.id not in started]
    looks_at = min((at for at in paid if now < at < FOREVER), default=None)
    return Plan(grants=grants, taken=tuple(_taken(world, verdicts, now)), looks_at=looks_at)


def _grants(world: World, verdicts: Verdicts, rules: Admissible, now: datetime) -> Iterator[Grant]:
    leased = {device for lease in world.leases for device in lease.devices}
    usable: dict[str, dict[str, list[str]]] = {}
    for ticket in world.line():
        verdict = verdicts.of.get(ticket.id)
        if verdict is None or not verdict.gives(ticket) or not rules.may_start(ticket):
            continue
        if ticket.flavour not in usable:
            usable[ticket.flavour] = world.usable_devices(ticket.flavour)
        free = [each for each in usable[ticket.flavour].get(verdict.node, ()) if each not in leased]
        if len(free) >= ticket.gpus:
            devices = tuple(free[: ticket.gpus])
            leased.update(devices)
            rules.start(ticket)
            yield Grant(ticket.id, devices, now, now + ticket.duration)


def _taken(world: World, verdicts: Verdicts, now: datetime) -> Iterator[Taken]:
    tickets = {ticket.id: ticket for ticket in world.tickets}
    for lease in world.counted:
        ticket, verdict = tickets.get(lease.ticket), verdicts.of.get(lease.ticket)
        if ticket is None or ticket.state is State.RECLAIMING or lease.stopping_since is not None:
            continue
        if not _stands(world, lease, ticket, verdict):
            yield Taken(ticket.id, _ends(world, lease, ticket, now), verdict.taken_for if verdict else "")


def _stands(world: World, lease: Lease, ticket: Ticket, verdict: Verdict | None) -> bool:
    """Whether the engine lets it be. Of what it knows nothing, or has not chosen again yet, it wants nothing back."""
    if verdict is None or not verdict.is_on(ticket) or not (verdict.node or verdict.goes_back):
        return True
    return verdict.gives(ticket) and world.inventory.machines_of(lease.devices) <= {verdict.node}


def _ends(world: World, lease: Lease, ticket: Ticket, now: datetime) -> datetime:
    """After the grace, for whoever works there; at once where nobody has used it yet."""
    grace = world.catalogue.queue.grace if ticket.state is State.RUNNING else world.catalogue.queue.end_grace
    return min(lease.ends, now + grace)
