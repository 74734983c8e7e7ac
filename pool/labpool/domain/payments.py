"""What the budgets of projects can pay for, beside all that is booked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from labpool.domain.bookings import Bookings, Layer
from labpool.domain.budgets import hours
from labpool.domain.catalogue import Catalogue
from labpool.domain.leases import Lease
from labpool.domain.needs import Need
from labpool.domain.tickets import Ticket


@dataclass(frozen=True, slots=True)
class Payments:
    """The accounts of a schedule's projects. One without a budget can pay for everything."""

    catalogue: Catalogue
    bookings: Bookings

    def affordable_from(self, need: Need, start: datetime, layer: Layer | None = None) -> datetime:
        """The first time from `start` on at which the need's project can pay for it; FOREVER where it never can.

        Without `layer` everything counts that is booked.
        """
        accounts = self.bookings.accounts
        if need.project not in accounts.budgets:
            return start
        booked = (layer or self.bookings.layer()).booked
        rate = self.catalogue.rate(need.flavour, need.gpus)
        return accounts.affordable_from(booked, need.project, rate, start, need.duration)

    def paid_until(self, whose: Need | Lease, since: datetime) -> datetime:
        """Until when a project could pay for such devices from `since` on, beside what is booked."""
        devices = whose.gpus if isinstance(whose, Need) else len(whose.devices)
        rate, booked = self.catalogue.rate(whose.flavour, devices), self.bookings.layer().booked
        return self.bookings.accounts.longest(booked, whose.project, rate, since)

    def next_affordable(self, ticket: Ticket, now: datetime) -> datetime | None:
        """When a ticket whose hours are too many for the budget now can be paid for; None where they are not."""
        name, rate = ("slot", ticket.id), self.catalogue.rate(ticket.flavour, ticket.gpus)
        own = self.bookings[name].costs if name in self.bookings else ()
        return self.bookings.accounts.next_start(self.bookings.layer().booked, ticket.project, rate, now, own)

    def hours_left(self, project: str, at: datetime) -> float:
        """GPU-hours that a project's budget has left in the period of `at`, what is booked in it taken off."""
        accounts = self.bookings.accounts
        account = (project, accounts.budgets[project].period(at).start)
        return hours(accounts.left(self.bookings.layer().booked, account))
