"""What the budgets of projects can pay for, beside all that is booked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from labpool.domain.bookings import Bookings, Layer
from labpool.domain.budgets import TICK, Budget
from labpool.domain.catalogue import Catalogue
from labpool.domain.leases import Lease
from labpool.domain.needs import Need
from labpool.domain.reservations import most_reserved
from labpool.domain.tickets import Ticket
from labpool.domain.timeline import FOREVER
from labpool.domain.world import World


def late_work(world: World, lateness: timedelta) -> dict[str, int]:
    """Units of work that all that a project may hold at once comes to in `lateness`."""
    rules = world.catalogue
    return {
        project: sum(rules.rate(flavour, _most(world, project, flavour)) for flavour in rules.flavours)
        * (lateness // TICK)
        for project in rules.budgets()
    }


def _most(world: World, project: str, flavour: str) -> int:
    shares = world.catalogue.projects[project].most_at_once(flavour)
    return shares + most_reserved(world.reservations, project, flavour)


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

    def lacking(self, need: Need, start: datetime) -> datetime | None:
        """When the first period begins whose budget has too little left for `need` from `start` on; None for none."""
        accounts, rate = self.bookings.accounts, self.catalogue.rate(need.flavour, need.gpus)
        wanted = accounts.costs(need.project, rate, start, start + need.duration)
        account = accounts.first_lacking(self.bookings.layer().booked, wanted)
        return account[1] if account else None

    def paid_until(self, whose: Need | Lease, since: datetime) -> datetime:
        """Until when a project could pay for such devices from `since` on, beside what is booked."""
        rate = whose.rate if isinstance(whose, Lease) else self.catalogue.rate(whose.flavour, whose.gpus)
        booked = self.bookings.layer().booked
        return self.bookings.accounts.longest(booked, whose.project, rate, since)

    @property
    def budgets(self) -> Mapping[str, Budget]:
        """Those of the projects that have one."""
        return self.bookings.accounts.budgets

    def is_ample(self, project: str, sizes: Iterable[tuple[str, int]], now: datetime) -> bool:
        """Whether a project's budget keeps none of such sizes (flavour, devices) waiting, however long they run.

        So it is where each period has enough left for one that runs all through it.
        """
        rate = max((self.catalogue.rate(*size) for size in sizes), default=0)
        budget, accounts, booked = self.budgets[project], self.bookings.accounts, self.bookings.layer().booked
        period, is_booked = budget.period(now), True
        while is_booked:
            account = (project, period.start)
            if accounts.left(booked, account) < rate * ((period.end - period.start) // TICK):
                return False
            is_booked, period = booked[account] > 0, budget.period(period.end)
        return True

    def next_affordable(self, project: str, tickets: Iterable[Ticket], now: datetime) -> datetime:
        """When the first of a project's tickets whose hours are too many for its budget now can be paid for.

        More and more of such a run lies in the next period. FOREVER where nobody asks for too much.
        """
        period = self.budgets[project].period(now)
        account = (project, period.start)
        left = self.bookings.accounts.left(self.bookings.layer().booked, account)
        first, rates = FOREVER, dict[tuple[str, int], int]()
        for ticket in tickets:
            size = (ticket.flavour, ticket.gpus)
            rate = rates.get(size) or rates.setdefault(size, self.catalogue.rate(*size))
            if not rate:
                continue
            name = ("slot", ticket.id)
            booked = self.bookings[name].costs if name in self.bookings else ()
            own = sum(cost.work for cost in booked if cost.account == account)
            paid = max(left + own, 0) // rate * TICK
            start = period.end - min(paid, period.end - now)
            if now < start < first:
                first = start
        return first

    def left(self, project: str, at: datetime) -> int:
        """Units of work that a project's budget has left in the period of `at`, what is booked in it taken off."""
        accounts = self.bookings.accounts
        account = (project, accounts.budgets[project].period(at).start)
        return accounts.left(self.bookings.layer().booked, account)
