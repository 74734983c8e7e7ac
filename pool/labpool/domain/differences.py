"""What is different between two worlds, and between two long sequences that are almost the same."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from operator import is_ as _is
from typing import TypeVar

from labpool.domain.leases import Lease
from labpool.domain.tickets import Ticket
from labpool.domain.world import World

_TOLD = ("starts_by", "likely_start", "starts_again", "changed_at")
"""What is noted of a ticket, and moves no place."""

_as_asked = attrgetter(*(each.name for each in fields(Ticket) if each.name not in _TOLD), "in_line_since")

Item = TypeVar("Item")


def differences(old: tuple[Item, ...], new: tuple[Item, ...]) -> tuple[list[Item], list[Item]]:
    """Items that only `old` has, and that only `new` has, each item being itself and not merely equal to it.

    The time is that of comparing whole slices, as long as items come, go or are replaced one by one and the others keep
    their order.
    """
    gone, come = _passed_over(old, new)
    moved = set(map(id, gone)) & set(map(id, come))
    return [item for item in gone if id(item) not in moved], [item for item in come if id(item) not in moved]


def _passed_over(old: tuple[Item, ...], new: tuple[Item, ...]) -> tuple[list[Item], list[Item]]:
    """What each has that the other doesn't have at that place."""
    gone: list[Item] = []
    come: list[Item] = []
    i, j = 0, 0
    while True:
        same = _common_start(old, i, new, j)
        i, j = i + same, j + same
        here, there = old[i : i + 2], new[j : j + 2]
        if not here or not there:
            return [*gone, *old[i:]], [*come, *new[j:]]
        if len(here) > 1 and here[1] is there[0]:
            gone.append(old[i])
            i += 1
        elif len(there) > 1 and here[0] is there[1]:
            come.append(new[j])
            j += 1
        elif len(here) == len(there) == 1 or (len(here) == len(there) and here[1] is there[1]):
            gone.append(old[i])
            come.append(new[j])
            i, j = i + 1, j + 1
        else:
            return [*gone, *old[i:]], [*come, *new[j:]]


def _common_start(old: tuple[Item, ...], i: int, new: tuple[Item, ...], j: int) -> int:
    """How many items from `i` and `j` on are the same."""
    same, length = 0, 1
    while length:
        one, other = old[i + same : i + same + length], new[j + same : j + same + length]
        if one and len(one) == len(other) and all(map(_is, one, other)):
            same, length = same + len(one), 2 * length
        else:
            length = min(length, len(one), len(other)) // 2
    return same


def lost_leases(world: World) -> set[Lease]:
    """Leases that are lost with their node."""
    return set(world.leases).difference(world.counted) if world.inventory.lost else set()


def rules_of(world: World) -> tuple[object, ...]:
    """What no request and no end changes."""
    return world.catalogue, world.inventory, world.reservations


def asked_alike(known: Ticket, now: Ticket) -> bool:
    """Whether nothing has changed that a place depends on; one told an estimate, say, is no newcomer."""
    return bool(_as_asked(known) == _as_asked(now))
