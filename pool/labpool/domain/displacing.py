"""Making room for a promise: places of lower classes give way, and those that promise nothing."""

from __future__ import annotations

from labpool.domain.leases import Place
from labpool.domain.needs import Need
from labpool.domain.outlook import Outlook


def make_room(outlook: Outlook, need: Need, place: Place, rank: int) -> tuple[list[str], list[str]]:
    """Take places of weaker ranks away until `place` stands.

    Gives their tickets: those in line, and those that have started early and lose what they could fall back on.
    """
    displaced: list[str] = []
    given_up: list[str] = []
    schedule = outlook.schedule
    with_margin = Place(place.node, place.start, place.end + schedule.margin)
    if schedule.stands(need, with_margin):
        return displaced, given_up
    for other in schedule.weaker_than(rank):
        if not _is_in_the_way(outlook, other, need, with_margin):
            continue
        if other in outlook.slots:
            outlook.stored.setdefault(other, outlook.slots[other])
            outlook.displace(other)
            displaced.append(other)
        else:
            outlook.give_up_fallback(other)
            given_up.append(other)
        if schedule.stands(need, with_margin):
            break
    return displaced, given_up


def _is_in_the_way(outlook: Outlook, other: str, need: Need, place: Place) -> bool:
    """Whether another ticket's place takes something that `need` takes too: at the same time, or of a scarce budget."""
    ticket, schedule = outlook.ticket(other), outlook.schedule
    slot = outlook.slots.get(other) or schedule.fallbacks.slots[other]
    if ticket.project == need.project and schedule.payments.affordable_from(need, place.start) > place.start:
        return True
    if slot.start >= place.end or place.start >= slot.end + schedule.margin:
        return False
    caps = {cap.key for cap in need.caps}
    return slot.node == place.node or any(cap.key in caps for cap in schedule.needs.of(ticket).caps)
