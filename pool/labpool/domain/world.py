"""What the pool knows at one moment: all that a decision is made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from labpool.domain.budgets import Spent
from labpool.domain.catalogue import Catalogue
from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease, Slot
from labpool.domain.reservations import Reservation, reserved
from labpool.domain.tickets import Ticket
from labpool.domain.usage import Usage
from labpool.domain.verdicts import Verdicts


@dataclass(frozen=True, slots=True)
class World:
    """Inventory, rules, open tickets, live leases and stored slots.

    A lease is live until the pool has settled it: one past its end still holds its devices; one whose devices are
    lost with their node holds nothing (`counted`). `slots` are those that the last plan gave back; one of a ticket
    that is neither queued nor may fall back on it is ignored. `looked_at` is when the pool planned last, None after
    a start; it tells a pool that looked too late from a lease that would not end. `usage` and `spent` are what runs
    that are over come to, the one for fair shares and the other for budgets. `reservations` are those to come and
    those that are on; one that is over is ignored. `verdicts` are given where an engine has a queue of its own and
    decides in the planner's place.
    """

    inventory: Inventory
    catalogue: Catalogue
    tickets: tuple[Ticket, ...] = ()
    leases: tuple[Lease, ...] = ()
    slots: tuple[Slot, ...] = ()
    looked_at: datetime | None = None
    usage: Usage = field(default_factory=Usage)
    reservations: tuple[Reservation, ...] = ()
    spent: Spent = field(default_factory=Spent)
    verdicts: Verdicts | None = None

    def line(self) -> tuple[Ticket, ...]:
        """Tickets that wait for their turn, first come first; those that wait for "ready" are not among them."""
        waiting = (t for t in self.tickets if t.waits)
        return tuple(sorted(waiting, key=lambda t: (t.in_line_since, t.id)))

    @property
    def counted(self) -> tuple[Lease, ...]:
        """Leases that hold something; those lost with their node count against nobody."""
        lost = self.inventory.lost
        return tuple(lease for lease in self.leases if lost.keys().isdisjoint(lease.devices)) if lost else self.leases

    def usable_devices(self, flavour: str) -> dict[str, list[str]]:
        """Ids of the devices of `flavour` that may be granted, by node; those out of use are left out."""
        out_of_use = self.inventory.out_of_use
        nodes: dict[str, list[str]] = {}
        for device in self.inventory.of_flavour(flavour):
            if device.id not in out_of_use:
                nodes.setdefault(device.node, []).append(device.id)
        return nodes

    def own(self, project: str, flavour: str, now: datetime) -> int:
        """Devices of `flavour` that are a project's at `now`: its nominal ones, and those reserved for it."""
        return self.catalogue.nominal(project, flavour) + reserved(self.reservations, project, flavour, now)

    def turns(self, now: datetime) -> Iterator[datetime]:
        """When the rules change by themselves.

        A reservation begins, from when on its project may hold more, or what it kept comes free; a budget begins anew.
        """
        for reservation in self.reservations:
            yield reservation.start
            yield reservation.end + self.catalogue.queue.turnover
        for budget in self.catalogue.budgets().values():
            yield budget.period(now).end
