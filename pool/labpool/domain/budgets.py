"""GPU-hours that a project may use in each day, week, month or year. A run counts in the periods in which it lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from labpool.domain.timeline import FOREVER

Account = tuple[str, datetime]
"""A project's budget in the period that begins at a time."""

TICK = timedelta(microseconds=1)
_HOUR = 1000 * (timedelta(hours=1) // TICK)
_MOST_PERIODS = 1000


class Per(str, Enum):
    """How often a budget begins anew, at midnight of its zone."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Period(NamedTuple):
    """From `start` until just before `end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Budget:
    """So many GPU-hours in each period. What is left at its end is not carried over."""

    gpu_hours: float
    per: Per = Per.MONTH
    zone: tzinfo = timezone.utc

    def period(self, at: datetime) -> Period:
        """The period in which `at` lies."""
        return _period(self.per, self.zone, at.astimezone(self.zone).date().toordinal())

    def longest(self, rate: int) -> timedelta:
        """How long devices of `rate` units in a microsecond may run on what a whole period has."""
        return TICK * (self.work // rate) if rate else timedelta.max

    @property
    def work(self) -> int:
        """The same in units of work."""
        return round(self.gpu_hours * _HOUR)


class Cost(NamedTuple):
    """What a booking takes of an account, in units of work."""

    account: Account
    work: int


def work(devices: int, charge: float) -> int:
    """Units of work in a microsecond: whole numbers, so that what is put down and taken off leaves nothing behind."""
    return devices * round(1000 * charge)


def hours(units: int) -> float:
    """GPU-hours of so many units of work."""
    return units / _HOUR


def costs(project: str, budget: Budget, rate: int, start: datetime, end: datetime) -> Iterator[Cost]:
    """What devices of `rate` units in a microsecond take of each period from `start` to `end`."""
    while start < end:
        period = budget.period(start)
        until = min(period.end, end)
        yield Cost((project, period.start), rate * ((until - start) // TICK))
        start = until


@dataclass(frozen=True, slots=True)
class Spent:
    """What runs that are over have used of each account, in units of work."""

    of: Mapping[Account, int] = field(default_factory=dict)

    def with_run(self, budget: Budget, project: str, rate: int, start: datetime, end: datetime) -> Spent:
        """This and a run of `project` more."""
        return Spent(Counter(self.of) + Counter(dict(costs(project, budget, rate, start, end))))


@dataclass(slots=True)
class Accounts:
    """What is booked of all accounts, beside what is spent.

    A start that comes a little late moves a little of its run into the next period; so many units of work more than
    its budget a project may come to by that, its `tolerance`.
    """

    budgets: Mapping[str, Budget]
    spent: Spent = field(default_factory=Spent)
    tolerance: Mapping[str, int] = field(default_factory=dict)

    def costs(self, project: str, rate: int, start: datetime, end: datetime) -> tuple[Cost, ...]:
        """What a project's booking takes; nothing where it has no budget."""
        budget = self.budgets.get(project)
        return tuple(costs(project, budget, rate, start, end)) if budget else ()

    def left(self, booked: Mapping[Account, int], account: Account) -> int:
        """Units of work that are left of an account, below 0 where it is overdrawn."""
        most = self.budgets[account[0]].work + self.tolerance.get(account[0], 0)
        return most - self.spent.of.get(account, 0) - booked.get(account, 0)

    def affordable_from(
        self, booked: Mapping[Account, int], project: str, rate: int, start: datetime, duration: timedelta
    ) -> datetime:
        """The first time from `start` on at which the project can pay for `duration`; FOREVER where it never can.

        A run that is too expensive in a period has to begin so late that enough of it lies in the next one.
        """
        budget = self.budgets.get(project)
        if budget is None or not rate:
            return start
        whole_ones_in_a_row = 0
        while whole_ones_in_a_row < 2:  # else it is too much even for two whole periods
            lacking = self.first_lacking(booked, self.costs(project, rate, start, start + duration))
            if lacking is None:
                return start
            left = max(self.left(booked, lacking), 0)
            whole_ones_in_a_row = whole_ones_in_a_row + 1 if left >= budget.work else 0
            start = budget.period(lacking[1]).end - (left // rate) * TICK
        return FOREVER

    def longest(self, booked: Mapping[Account, int], project: str, rate: int, start: datetime) -> datetime:
        """Until when the project can pay for devices from `start` on."""
        budget = self.budgets.get(project)
        if budget is None or not rate:
            return FOREVER
        for _ in range(_MOST_PERIODS):
            period = budget.period(start)
            left = max(self.left(booked, (project, period.start)), 0)
            if left < rate * ((period.end - start) // TICK):
                return start + (left // rate) * TICK
            start = period.end
        return start

    def overdrawn(self, booked: Mapping[Account, int], accounts: Iterable[Account]) -> bool:
        """Whether more is spent and booked than there is of one of `accounts`."""
        return any(self.left(booked, account) < 0 for account in accounts)

    def first_lacking(self, booked: Mapping[Account, int], wanted: Iterable[Cost]) -> Account | None:
        """The first account that has too little left for its part of what is wanted; None where each has enough."""
        return next((cost.account for cost in wanted if self.left(booked, cost.account) < cost.work), None)


@lru_cache(maxsize=4096)
def _period(per: Per, zone: tzinfo, day: int) -> Period:
    """The period of a day, given as its ordinal in the zone."""
    date = datetime.fromordinal(day)
    match per:
        case Per.DAY:
            start, end = date, date + timedelta(days=1)
        case Per.WEEK:
            start = date - timedelta(days=date.weekday())
            end = start + timedelta(days=7)
        case Per.MONTH:
            start = date.replace(day=1)
            end = (start + timedelta(days=32)).replace(day=1)
        case Per.YEAR:
            start = date.replace(month=1, day=1)
            end = start.replace(year=start.year + 1)
    return Period(*(each.replace(tzinfo=zone).astimezone(timezone.utc) for each in (start, end)))
