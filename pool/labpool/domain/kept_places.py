"""What a forecast keeps for those in line: nobody who starts before them may be in their way when their time comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from labpool.domain.leases import Slot
from labpool.domain.tickets import Ticket


@dataclass(slots=True)
class _Kept:
    """A place, how many devices it takes, and how many are left beside it when it begins."""

    slot: Slot
    gpus: int
    left: int = 0


class KeptPlaces:
    """The places of those who have not started yet, beside the devices that leases hold for the hours asked for.

    Args:
        places: Slots, each with the ticket that holds it.
        devices: How many there are on each node.
        margin: Kept free behind each run.
    """

    def __init__(self, places: Iterable[tuple[Slot, Ticket]], devices: Mapping[str, int], margin: timedelta) -> None:
        self._margin = margin
        kept = [_Kept(slot, ticket.gpus, devices.get(slot.node, 0)) for slot, ticket in places]
        self._places = sorted(kept, key=lambda place: (place.slot.start, place.slot.ticket))
        self._of = {place.slot.ticket: place for place in self._places}
        for place in self._places:
            place.left -= sum(other.gpus for other in self._places if self._is_beside(other, place))

    def take(self, node: str, devices: int, until: datetime) -> None:
        """Note that devices of a node are in use until then; fewer than none are given back."""
        for place in self._places:
            if place.slot.start >= until + self._margin:
                break
            if place.slot.node == node:
                place.left -= devices

    def leave(self, ticket: str) -> None:
        """Keep a ticket's place no longer, if it has one."""
        own = self._of.pop(ticket, None)
        if own is None:
            return
        self._places.remove(own)
        for place in self._places:
            if self._is_beside(own, place):
                place.left += own.gpus

    def allow(self, ticket: Ticket, node: str, until: datetime) -> bool:
        """Whether a ticket that runs on a node until then is in nobody's way."""
        own = self._of.get(ticket.id)
        for place in self._places:
            if place.slot.start >= until + self._margin:
                break
            if place.slot.node != node or place is own:
                continue
            if place.left + (own.gpus if own and self._is_beside(own, place) else 0) < ticket.gpus:
                return False
        return True

    def _is_beside(self, other: _Kept, place: _Kept) -> bool:
        """Whether the other place takes devices of the same node when this one begins; each is beside itself."""
        one, begins = other.slot, place.slot.start
        return one.node == place.slot.node and one.start <= begins < one.end + self._margin
