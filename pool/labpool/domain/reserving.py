"""Whether a reservation can be accepted: what it would break, and what would be missing for it all the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from labpool.domain.needs import flavour_key, node_key
from labpool.domain.planner import plan
from labpool.domain.plans import BrokenPromise
from labpool.domain.reservations import Reservation
from labpool.domain.schedule import Schedule
from labpool.domain.world import World


@dataclass(frozen=True, slots=True)
class Consequences:
    """What comes of a reservation: promises that it breaks, and devices that live leases still hold in its time."""

    broken: tuple[BrokenPromise, ...] = ()
    missing: int = 0

    @property
    def harmless(self) -> bool:
        """Whether it can be accepted without asking anybody."""
        return not (self.broken or self.missing)


def consequences(world: World, wanted: Reservation, now: datetime) -> Consequences:
    """What would come of accepting `wanted` at `now`, beside those of `world`.

    Raises:
        ValueError: its time is over or runs backwards; it names no such project, flavour or node, or no devices.
    """
    _check(world, wanted, now)
    more = replace(world, reservations=(*world.reservations, wanted))
    schedule = Schedule(more, now)
    start, end = max(wanted.start, now), wanted.end + schedule.margin
    if wanted.project:
        things = [flavour_key(wanted.flavour), *([node_key(wanted.node, wanted.flavour)] if wanted.node else [])]
        missing = max(schedule.missing_of_what_is_kept(thing, start, end) for thing in things)
    else:
        flavours = {device.flavour for device in world.inventory.devices if device.node == wanted.node}
        missing = sum(max(-schedule.free_on(wanted.node, flavour, start, end), 0) for flavour in flavours)
    return Consequences(plan(more, now).broken, missing)


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
