"""What the ledger says was used, held and overrun in a window of time, summed up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from threading import Lock

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


_FINEST = (LedgerRow.project, LedgerRow.person, LedgerRow.flavour)
_MOST_WINDOWS = 64
"""So many windows are remembered: some years by month, and what people ask for."""

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


_Sums = Mapping[tuple[str, ...], UsageSum]
_Part = tuple[tuple[str, ...], str, int, int]


class UsageMemory:
    """What the ledger came to in the windows that were asked for last, by project, person and flavour.

    Its rows are only ever added, one transaction after another, so only those are summed up that came since.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Window, tuple[int, _Sums]] = OrderedDict()
        self._one_at_a_time = Lock()

    def sums(self, session: Session, window: Window) -> _Sums:
        """The sums of a window over everybody."""
        last = session.scalar(select(func.max(LedgerRow.id))) or 0
        with self._one_at_a_time:
            until, known = self._known.pop(window, (0, {}))
            if until > last:  # this view is of a moment before
                until, known = 0, {}
            new = _since(session, window, until) if until else _all(session, window, _FINEST, true())
            summed = _summed(known, new)
            self._known[window] = (last, summed)
            while len(self._known) > _MOST_WINDOWS:
                self._known.popitem(last=False)
        return summed


def usage(session: Session, memory: UsageMemory, window: Window, by: By, seen: Seen) -> dict[str, UsageSum]:
    """The sums of a window, by a column; a run counts with its part in the window."""
    column = _COLUMNS[by]
    if seen.all or seen.projects:
        found = _by(column, memory.sums(session, window), seen)
    else:
        own = _summed({}, _all(session, window, (column,), LedgerRow.person == seen.person))
        found = {name: total for (name,), total in own.items()}
    for name, units in _held(session, window, column.expression, seen):
        found[name] = found.get(name, UsageSum()) + UsageSum(held=units)
    return found


def _by(column: InstrumentedAttribute[str], sums: _Sums, seen: Seen) -> dict[str, UsageSum]:
    """Finest sums, as far as they may be seen, added up by one column."""
    position, found = _FINEST.index(column), dict[str, UsageSum]()
    for (project, person, flavour), total in sums.items():
        if seen.all or project in seen.projects or person == seen.person:
            name = (project, person, flavour)[position]
            found[name] = found.get(name, UsageSum()) + total
    return found


def _summed(known: _Sums, parts: Iterable[_Part]) -> _Sums:
    found = dict(known)
    for key, kind, units, runs in parts:
        new = UsageSum(overrun=units) if kind == Kind.OVERRUN.value else UsageSum(units, runs=runs)
        found[key] = found.get(key, UsageSum()) + new
    return found


def _all(
    session: Session, window: Window, keys: Sequence[InstrumentedAttribute[str]], which: ColumnElement[bool]
) -> Iterator[_Part]:
    """Of runs that are over, by some columns."""
    return chain(_whole(session, window, keys, which), _cut(session, window, keys, which))


def _since(session: Session, window: Window, row: int) -> Iterator[_Part]:
    """Of what was booked after a row. Which of it is wanted is not asked of the database, which might look at all."""
    query = (
        select(*_FINEST, LedgerRow.kind, LedgerRow.rate, LeaseRow.starts, LedgerRow.start, LedgerRow.end)
        .join(LeaseRow, LeaseRow.id == LedgerRow.lease)
        .where(LedgerRow.id > row)
    )
    for *key, kind, rate, since, start, end in session.execute(query):
        inside = window.start <= start < window.end and end <= window.end
        touches = start < window.end and end > window.start
        if kind in _OVER and (inside or touches):
            yield tuple(key), kind, amount(rate, since, max(start, window.start), min(end, window.end)), 1


def _whole(
    session: Session, window: Window, keys: Sequence[InstrumentedAttribute[str]], which: ColumnElement[bool]
) -> Iterator[_Part]:
    """Of rows that lie in the window as a whole, which is nearly all: summed up by the database."""
    query = (
        select(*keys, LedgerRow.kind, func.sum(LedgerRow.amount), func.count())
        .where(LedgerRow.kind.in_(_OVER), which, _inside(window))
        .group_by(*keys, LedgerRow.kind)
    )
    for *key, kind, units, runs in session.execute(query):
        yield tuple(key), kind, int(units), runs


def _cut(
    session: Session, window: Window, keys: Sequence[InstrumentedAttribute[str]], which: ColumnElement[bool]
) -> Iterator[_Part]:
    """Of rows that the window's start or end cuts."""
    query = (
        select(*keys, LedgerRow.kind, LedgerRow.rate, LeaseRow.starts, LedgerRow.start, LedgerRow.end)
        .join(LeaseRow, LeaseRow.id == LedgerRow.lease)
        .where(LedgerRow.kind.in_(_OVER), which, _touching(window), ~_inside(window))
    )
    for *key, kind, rate, since, start, end in session.execute(query):
        yield tuple(key), kind, amount(rate, since, max(start, window.start), min(end, window.end)), 1


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
