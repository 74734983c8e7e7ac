"""Places that tickets keep though they have started already.

Who was promised a place and starts early on devices that its project borrows keeps it until its start: if the devices
are taken back before, or lost, the ticket falls back on it. At its start the project's earlier leases are to be over,
and what the ticket holds the project's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from labpool.domain.bookings import Booking, Bookings, Name
from labpool.domain.catalogue import Catalogue
from labpool.domain.ends import Nothing, due_in_queue
from labpool.domain.entries import Entries
from labpool.domain.leases import Lease, Slot
from labpool.domain.needs import Need
from labpool.domain.taking_back import youngest_above
from labpool.domain.tickets import HOLDING, State, Ticket
from labpool.domain.world import World


def falls_back(ticket: Ticket, slot: Slot, catalogue: Catalogue, now: datetime) -> bool:
    """Whether `slot` is there for a ticket to fall back on, which holds a lease.

    One that was given more hours than it was promised, that is not to start again, or may not any more, has nothing to
    fall back on.
    """
    keeps = ticket.state in HOLDING and ticket.starts_again and ticket.starts_by is not None
    fits = ticket.duration <= slot.end - slot.start
    in_time = slot.start > now or ticket.state is State.RECLAIMING
    return keeps and fits and in_time and isinstance(due_in_queue(ticket, catalogue, now), Nothing)


def fallbacks(world: World, now: datetime) -> dict[str, Slot]:
    """The stored slots that tickets with a lease may fall back on."""
    tickets = {ticket.id: ticket for ticket in world.tickets if ticket.state in HOLDING}
    slots = (slot for slot in world.slots if slot.ticket in tickets)
    return {slot.ticket: slot for slot in slots if falls_back(tickets[slot.ticket], slot, world.catalogue, now)}


def has_fallback(ticket: Ticket, slots: Iterable[Slot], catalogue: Catalogue, now: datetime) -> bool:
    """Whether a ticket that loses its lease now has one of the stored slots to fall back on."""
    return any(slot.ticket == ticket.id and falls_back(ticket, slot, catalogue, now) for slot in slots)


def above_own(lease: Lease, world: World, leases: Mapping[str, Lease]) -> bool:
    """Whether a lease may be borrowed, now or once a reservation of its project is over.

    Beside `leases`, those that count, it is those lost with their node that may come back.
    """
    alike = (world.leases, leases.values())
    theirs = {x.ticket: x for each in alike for x in each if (x.project, x.flavour) == (lease.project, lease.flavour)}
    nominal = world.catalogue.nominal(lease.project, lease.flavour)
    return any(each.ticket == lease.ticket for each in youngest_above(theirs.values(), nominal))


class Fallbacks:
    """Those of one schedule, by ticket.

    `leases` are the live ones that count, kept up to date by the schedule; `lost` are those lost with their node.
    """

    def __init__(
        self, bookings: Bookings, entries: Entries, leases: Mapping[str, Lease], lost: Mapping[str, Lease]
    ) -> None:
        self.slots: dict[str, Slot] = {}
        self._bookings, self._entries, self._leases, self._lost = bookings, entries, leases, lost
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

    def outdated(self, world: World, tickets: Mapping[str, Ticket], now: datetime) -> list[str]:
        """Tickets that need theirs no more: its time has come, or what they hold is not borrowed any more.

        `tickets` are those of `world`, by id.
        """
        return [name for name, slot in self.slots.items() if not self._is_needed(tickets[name], slot, world, now)]

    def _is_needed(self, ticket: Ticket, slot: Slot, world: World, now: datetime) -> bool:
        lease = self._leases.get(ticket.id)
        if not falls_back(ticket, slot, world.catalogue, now):
            return False
        return lease is None or ticket.state is State.RECLAIMING or above_own(lease, world, self._leases)

    def bookings_for(self, need: Need, slot: Slot, rank: int = 0) -> tuple[Booking, Booking]:
        """What is booked for a slot: its devices, and all that its lease takes too."""
        lease = self._leases.get(need.ticket)
        held = lease or self._lost.get(need.ticket)
        paid = self._entries.costs_of(held) if held else ()
        return self._entries.of_fallback(need, slot, rank, lease, paid, self._bookings.now, self._bookings.margin)


def names_of(ticket: str) -> tuple[Name, ...]:
    """What the bookings of a ticket's fallback are called, in that order."""
    return ("fallback", ticket), ("fallback beyond", ticket)
