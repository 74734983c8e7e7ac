"""What stories tell of reservations: "Speech reserves 2 GPUs from 13:00 to 16:00", and what comes of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from labpool.domain.reservations import UNUSED_AFTER, Reservation, without_unused
from labpool.domain.reserving import consequences, used_of
from labpool.domain.words import count, listed
from labpool.domain.world import World

from tests.domain.lab import NINE

RESERVES = re.compile(
    r"(?P<project>\w+) reserves (?P<gpus>\d) GPUs? from (?P<start>[\d:]+) to (?P<end>[\d:]+)(?P<sure>, all the same)?"
)
OUTCOME = re.compile(r"(?:not )?reserved(?:, because .+)?")


def reserve(world: World, told: re.Match[str], now: datetime) -> tuple[World, str]:
    """The world with a reservation where it does no harm or is wanted all the same, and what is said of it."""
    name, times = f"{told['project']} {told['start']}", (_time(told["start"]), _time(told["end"]))
    wanted = Reservation(name, *times, told["project"].lower(), "gpu", int(told["gpus"]))
    found = consequences(world, [wanted], now)
    if found.harmless or told["sure"]:
        return replace(world, reservations=(*world.reservations, wanted)), "reserved"
    broken = [f"{count(len(found.broken), 'promise')} would break"] if found.broken else []
    missing = [f"{count(found.missing, 'GPU')} would still be in use"] if found.missing else []
    return world, f"not reserved, because {listed([*broken, *missing])}"


def released(world: World, now: datetime) -> World:
    """The world without what nobody used in the first minutes of a reservation, at the moment they are over."""
    due = {each.id for each in world.reservations if each.start + UNUSED_AFTER == now}
    kept = (without_unused(each, used_of(world, each), now) if each.id in due else each for each in world.reservations)
    return replace(world, reservations=tuple(kept)) if due else world


def releases(world: World) -> list[datetime]:
    """When that is."""
    return [each.start + UNUSED_AFTER for each in world.reservations]


def _time(clock: str) -> datetime:
    hours, minutes = (int(part) for part in clock.split(":"))
    return NINE.replace(hour=hours, minute=minutes)
