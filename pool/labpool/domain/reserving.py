"""Whether a reservation can be accepted: what it would break, and what would be missing; and what is used of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from labpool.domain.breaking import newly_broken
from labpool.domain.kept_devices import shortfalls
from labpool.domain.needs import flavour_key, node_key
from labpool.domain.plans import BrokenPromise
from labpool.domain.reservations import Reservation
from labpool.domain.schedule import Schedule
from labpool.domain.world import World


@dataclass(frozen=True, slots=True)
class Consequences:
    """What comes of a reservation: promises that it breaks, and devices that live leases still hold in its time.

    Of one that is for several times: those that all of them break, and the most that are missing at one time.
    """

    broken: tuple[BrokenPromise, ...] = ()
    missing: int = 0

    @property
    def harmless(self) -> bool:
        """Whether it can be accepted without asking anybody."""
        return not (self.broken or self.missing)


def consequences(world: World, wanted: Sequence[Reservation], now: datetime) -> Consequences:
    """What would come of accepting `wanted`, all together, at `now` beside those of `world`.

    Raises:
        ValueError: a time is over or runs backwards; it names no such project, flavour or node, or no devices.
    """
    for each in wanted:
        _check(world, each, now)
    more = replace(world, reservations=(*world.reservations, *wanted))
    schedule = Schedule(more, now, margin=timedelta(0))  # what ends just as one begins is not missing for it
    lacking, lacked = _shortfalls(more, schedule), _shortfalls(world, Schedule(world, now))
    missing = max((_missing(more, schedule, each, now) + lacking[each.id] for each in wanted), default=0)
    missing += max((lacking[each.id] - lacked[each.id] for each in world.reservations), default=0)
    return Consequences(newly_broken(world, more, now), missing)


def used_of(world: World, reservation: Reservation) -> int:
    """Devices that its project holds of what a reservation keeps, or will hold by a place within its time.

    On the node where it names one; a project's own devices are not told from those that are kept for it beside them.
    """
    nodes = {device.id: device.node for device in world.inventory.devices if device.flavour == reservation.flavour}
    fits = {node for node in nodes.values() if reservation.node in ("", node)}
    theirs = [lease for lease in world.counted if lease.project == reservation.project]
    held = sum(nodes.get(device) in fits for lease in theirs for device in lease.devices)
    starting = {slot.ticket for slot in world.slots if slot.node in fits and reservation.is_on(slot.start)}
    waiting = (ticket for ticket in world.line() if ticket.id in starting) if starting else ()
    kind = (reservation.project, reservation.flavour)
    return held + sum(ticket.gpus for ticket in waiting if (ticket.project, ticket.flavour) == kind)


def _shortfalls(world: World, schedule: Schedule) -> Counter[str]:
    return shortfalls(world.reservations, schedule.stock, schedule.guarantees)


def _missing(more: World, schedule: Schedule, wanted: Reservation, now: datetime) -> int:
    start, end = max(wanted.start, now), wanted.end
    if wanted.project:
        things = [flavour_key(wanted.flavour), *([node_key(wanted.node, wanted.flavour)] if wanted.node else [])]
        in_use = max(schedule.missing_of_what_is_kept(thing, start, end) for thing in things)
        nodes = [wanted.node] if wanted.node else schedule.nodes_of(wanted.flavour)
        free = sum(max(schedule.free_on(node, wanted.flavour, start, end), 0) for node in nodes)
        return min(max(in_use, wanted.devices - free), wanted.devices)
    flavours = {device.flavour for device in more.inventory.devices if device.node == wanted.node}
    return sum(max(-schedule.free_on(wanted.node, flavour, start, end), 0) for flavour in flavours)


def _check(world: World, wanted: Reservation, now: datetime) -> None:
    if not now < wanted.end or not wanted.start < wanted.end:
        raise ValueError(f"a reservation from {wanted.start} to {wanted.end} is over or empty; name a time to come")
    if wanted.node and wanted.node not in {device.node for device in world.inventory.devices}:
        raise ValueError(f"no device is on a node {wanted.node}")
    if not wanted.project:
        if not wanted.node:
            raise ValueError("a reservation for nobody is maintenance; name the node that it closes")
        return
    if wanted.project not in world.catalogue.projects:
        raise ValueError(f"there is no project {wanted.project}")
    if wanted.flavour not in world.catalogue.flavours or wanted.devices < 1:
        raise ValueError(f"{wanted.devices} devices of {wanted.flavour} can't be reserved; name a flavour and a number")
