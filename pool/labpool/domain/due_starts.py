"""Whether all whose time has come can start as planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from labpool.domain.held import Held
from labpool.domain.leases import Place, Slot
from labpool.domain.needs import Cap, Key, Need
from labpool.domain.reservations import reserved
from labpool.domain.schedule import Schedule
from labpool.domain.world import World


def can_all_start(due: Sequence[tuple[Slot, Need]], schedule: Schedule, held: Held, world: World) -> bool:
    """Whether every slot of `due` finds its devices free, was not overlooked for long, and is in nobody's way so late.

    `schedule` has the slots among its bookings.
    """
    wanted: Counter[Key] = Counter()
    for slot, need in due:
        node = ("node", slot.node, need.flavour)
        free = len(schedule.unleased(need.flavour, slot.node))
        if schedule.now > slot.start + schedule.margin or wanted[node] + need.gpus > free:
            return False
        if any(held.of[cap.key] + wanted[cap.key] + cap.amount > _most(cap, world, schedule) for cap in need.caps):
            return False
        if schedule.now > slot.start and not _fits_late(slot, need, schedule):
            return False
        wanted.update({node: need.gpus, **{cap.key: cap.amount for cap in need.caps}})
    return not wanted or schedule.has_room_for_what_is_kept()


def _most(cap: Cap, world: World, schedule: Schedule) -> int:
    if cap.key[0] != "project":
        return cap.most
    return cap.most + reserved(world.reservations, cap.key[1], cap.key[2], schedule.now)


def _fits_late(slot: Slot, need: Need, schedule: Schedule) -> bool:
    with schedule.without_place_of(slot.ticket):
        return schedule.stands(need, Place(slot.node, schedule.now, schedule.now + need.duration))
