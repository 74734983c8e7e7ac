"""Places that tickets keep though they have started already.

Who was promised a place and starts early on devices that its project borrows keeps it until its start: if the devices
are taken back before, or lost, the ticket falls back on it. From its start on nothing is borrowed any more, as the
project's earlier leases are over by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from labpool.domain.bookings import Booking, Bookings, Name
from labpool.domain.entries import Entries
from labpool.domain.leases import Lease, Slot
from labpool.domain.needs import Need
from labpool.domain.taking_back import borrowed
from labpool.domain.tickets import HOLDING, State, Ticket
from labpool.domain.world import World


def falls_back(ticket: Ticket, slot: Slot, now: datetime) -> bool:
    """Whether `slot` is there for a ticket to fall back on, which holds a lease.

    One that was given more hours than it was promised, or that is not to start again, has nothing to fall back on.
    """
    keeps = ticket.state in HOLDING and ticket.starts_again and ticket.starts_by is not None
    fits = ticket.duration <= slot.end - slot.start
    return keeps and fits and (slot.start > now or ticket.state is State.RECLAIMING)


def fallbacks(world: World, now: datetime) -> dict[str, Slot]:
    """The stored slots that tickets with a lease may fall back on."""
    tickets = {ticket.id: ticket for ticket in world.tickets if ticket.state in HOLDING}
    slots = (slot for slot in world.slots if slot.ticket in tickets)
    return {slot.ticket: slot for slot in slots if falls_back(tickets[slot.ticket], slot, now)}


def has_fallback(ticket: Ticket, slots: Iterable[Slot], now: datetime) -> bool:
    """Whether a ticket that loses its lease now has one of the stored slots to fall back on."""
    return any(slot.ticket == ticket.id and falls_back(ticket, slot, now) for slot in slots)


class Fallbacks:
    """Those of one schedule, by ticket; `leases` are the live ones, kept up to date by the schedule."""

    def __init__(self, bookings: Bookings, entries: Entries, leases: Mapping[str, Lease]) -> None:
        self.slots: dict[str, Slot] = {}
        self._bookings, self._entries, self._leases = bookings, entries, leases
        self._kept: dict[str, tuple[Need, Slot, int]] = {}

    def keep(self, need: Need, slot: Slot, rank: int) -> None:
        """Keep a slot for a ticket that holds a lease."""
        self.slots[need.ticket] = slot
        self._kept[need.ticket] = need, slot, rank
        self.follow_lease(need.ticket)

    def follow_lease(self, ticket: str) -> None:
        """Keep what a ticket needs beside its lease as it is now, if it keeps anything."""
        if ticket in self._kept:
            for name, booking in zip(names_of(ticket), self.bookings_for(*self._kept[ticket]), strict=True):
                self._bookings.put(name, booking)

    def give_up(self, ticket: str) -> Slot | None:
        """Keep a ticket's slot no longer, if it has one; gives it."""
        slot = self.slots.pop(ticket, None)
        if slot:
            del self._kept[ticket]
            for name in names_of(ticket):
                self._bookings.drop(name)
        return slot

    def outdated(self, world: World, leases: Mapping[str, Lease], now: datetime) -> list[str]:
        """Tickets that need theirs no more: its time has come, or what they hold is not borrowed any more."""
        if not self.slots:
            return []
        tickets = {ticket.id: ticket for ticket in world.tickets if ticket.id in self.slots}
        flavours = {ticket.flavour for ticket in tickets.values()}
        loans = {loan.ticket for each in flavours for loan in borrowed(world, leases.values(), each, now)}
        needed = loans | (self.slots.keys() - leases.keys())  # those are lost with their node
        return [
            name for name, slot in self.slots.items() if name not in needed or not falls_back(tickets[name], slot, now)
        ]

    def bookings_for(self, need: Need, slot: Slot, rank: int = 0) -> tuple[Booking, Booking]:
        """What is booked for a slot: its devices, and all that its lease takes too."""
        lease, now, margin = self._leases.get(need.ticket), self._bookings.now, self._bookings.margin
        return self._entries.of_fallback(need, slot, rank, lease, now, margin)


def names_of(ticket: str) -> tuple[Name, ...]:
    """What the bookings of a ticket's fallback are called, in that order."""
    return ("fallback", ticket), ("fallback beyond", ticket)
