"""The schedule as the last plan left it."""

from __future__ import annotations

from datetime import datetime

from labpool.domain.fallbacks import fallbacks
from labpool.domain.schedule import Schedule
from labpool.domain.world import World


def schedule_of(world: World, now: datetime, without: str = "", project: str = "") -> Schedule:
    """As it stands: leases, and the stored slots of all in line (of a `project`, if given) but the ticket `without`.

    What those keep who have started early is among it.
    """
    schedule, kept = Schedule(world, now), fallbacks(world, now)
    kept.pop(without, None)
    slots = {slot.ticket: slot for slot in world.slots if slot.ticket != without}
    line = (ticket for ticket in world.line() if ticket.id in slots and project in ("", ticket.project))
    schedule.book_all((schedule.needs.of(ticket), slots[ticket.id], 0) for ticket in line)
    for ticket in (ticket for ticket in world.tickets if ticket.id in kept and project in ("", ticket.project)):
        schedule.fallbacks.keep(schedule.needs.of(ticket), kept[ticket.id], 0)
    return schedule
