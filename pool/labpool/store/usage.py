"""What the ledger says was used, held and overrun in a window of time, summed up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import chain

from sqlalchemy import ColumnElement, and_, false, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from labpool.domain.calendar import Window
from labpool.domain.ledger import CHARGED, Kind, amount
from labpool.store.models import LeaseRow, LedgerRow

_OVER = (Kind.SETTLEMENT.value, Kind.OVERRUN.value)


class By(str, Enum):
    """What usage is summed up by."""

    PROJECT = "project"
    USER = "user"
    FLAVOUR = "flavour"
    MONTH = "month"
    TERM = "term"


_COLUMNS: dict[By, InstrumentedAttribute[str]] = {
    By.PROJECT: LedgerRow.project,
    By.USER: LedgerRow.person,
    By.FLAVOUR: LedgerRow.flavour,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """Whose usage somebody may see: that of `person` (a pseudonym) and of whole `projects`; `all` for an admin."""

    person: str | None = None
    projects: frozenset[str] = frozenset()
    all: bool = False


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Units of the ledger: what runs that are over used, what is still held, what the pool bore; and how many runs."""

    used: int = 0
    held: int = 0
    overrun: int = 0
    runs: int = 0

    def __add__(self, other: UsageSum) -> UsageSum:
        """What both come to."""
        held, overrun = self.held + other.held, self.overrun + other.overrun
        return UsageSum(self.used + other.used, held, overrun, self.runs + other.runs)


def usage(session: Session, window: Window, by: By, seen: Seen) -> dict[str, UsageSum]:
    """The sums of a window, by a column; a run counts with its part in the window."""
    key, found = _COLUMNS[by].expression, defaultdict[str, UsageSum](UsageSum)
    for name, kind, units, runs in chain(_whole(session, window, key, seen), _cut(session, window, key, seen)):
        found[name] += UsageSum(overrun=units) if kind == Kind.OVERRUN.value else UsageSum(units, runs=runs)
    for name, units in _held(session, window, key, seen):
        found[name] += UsageSum(held=units)
    return dict(found)


_Part = tuple[str, str, int, int]


def _whole(session: Session, window: Window, key: ColumnElement[str], seen: Seen) -> Iterator[_Part]:
    """Of rows that lie in the window as a whole, which is nearly all: summed up by the database."""
    query = (
        select(key, LedgerRow.kind, func.sum(LedgerRow.amount), func.count())
        .where(LedgerRow.kind.in_(_OVER), _visible(seen), _inside(window))
        .group_by(key, LedgerRow.kind)
    )
    for name, kind, units, runs in session.execute(query):
        yield name, kind, int(units), runs


def _cut(session: Session, window: Window, key: ColumnElement[str], seen: Seen) -> Iterator[_Part]:
    """Of rows that the window's start or end cuts."""
    query = (
        select(key, LedgerRow.kind, LedgerRow.rate, LeaseRow.starts, LedgerRow.start, LedgerRow.end)
        .join(LeaseRow, LeaseRow.id == LedgerRow.lease)
        .where(LedgerRow.kind.in_(_OVER), _visible(seen), _touching(window), ~_inside(window))
    )
    for name, kind, rate, since, start, end in session.execute(query):
        yield name, kind, amount(rate, since, max(start, window.start), min(end, window.end)), 1


def _held(session: Session, window: Window, key: ColumnElement[str], seen: Seen) -> Iterator[tuple[str, int]]:
    """Of leases that are not over: what is set aside for them."""
    query = (
        select(key, LedgerRow.kind, LedgerRow.rate, LeaseRow.starts, LedgerRow.start, LedgerRow.end)
        .join(LeaseRow, LeaseRow.id == LedgerRow.lease)
        .where(LeaseRow.ended_at.is_(None), _visible(seen), _touching(window))
    )
    for name, kind, rate, since, start, end in session.execute(query):
        units = amount(rate, since, max(start, window.start), min(end, window.end))
        yield name, CHARGED[Kind(kind)] * units


def _inside(window: Window) -> ColumnElement[bool]:
    return and_(LedgerRow.start >= window.start, LedgerRow.start < window.end, LedgerRow.end <= window.end)


def _touching(window: Window) -> ColumnElement[bool]:
    return and_(LedgerRow.start < window.end, LedgerRow.end > window.start)


def _visible(seen: Seen) -> ColumnElement[bool]:
    if seen.all:
        return true()
    own = LedgerRow.person == seen.person if seen.person is not None else false()
    return or_(own, LedgerRow.project.in_(seen.projects))
