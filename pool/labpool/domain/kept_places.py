"""What a forecast keeps for those in line: nobody who starts before them may be in their way when their time comes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from labpool.domain.leases import Slot
from labpool.domain.tickets import Ticket
from labpool.domain.timeline import Timeline


class KeptPlaces:
    """The places of those who have not started yet, beside what runs hold for the hours asked for.

    Args:
        places: Slots, each with the ticket that holds it.
        devices: How many there are on each node.
        margin: Kept free behind each run.
    """

    def __init__(self, places: Iterable[tuple[Slot, Ticket]], devices: Mapping[str, int], margin: timedelta) -> None:
        self._devices, self._margin = devices, margin
        self._taken: defaultdict[str, Timeline] = defaultdict(Timeline)
        self._places: dict[str, tuple[Slot, int]] = {}
        for slot, ticket in places:
            self._keep(slot, ticket.gpus)

    def take(self, node: str, start: datetime, end: datetime, devices: int) -> None:
        """Note that so many devices of a node are in use; fewer than none are given back."""
        self._taken[node].take(start, end + self._margin, devices)

    def leave(self, ticket: str) -> None:
        """Keep a ticket's place no longer, if it has one."""
        if ticket in self._places:
            slot, gpus = self._places.pop(ticket)
            self.take(slot.node, slot.start, slot.end, -gpus)

    def allow(self, ticket: Ticket, node: str, start: datetime) -> bool:
        """Whether a ticket that runs on a node from then on is in nobody's way, its own place not counted."""
        own = self._places.get(ticket.id)
        if own:
            self.leave(ticket.id)
        room = self._devices[node] - ticket.gpus
        allowed = self._taken[node].fits(room, start, start + ticket.duration + self._margin)
        if own:
            self._keep(*own)
        return allowed

    def _keep(self, slot: Slot, gpus: int) -> None:
        self._places[slot.ticket] = slot, gpus
        self.take(slot.node, slot.start, slot.end, gpus)
