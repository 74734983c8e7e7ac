"""Times as people write them, and the months and terms between two, on the clocks of a zone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from itertools import pairwise

OUTSIDE = "outside any term"
"""What stands in a term's place for days that are in none."""


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` until just before `end`, both in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the lab, from its first day to its last."""

    name: str
    first: date
    last: date

    def window(self, zone: tzinfo) -> Window:
        """All of it, on the clocks of `zone`."""
        return Window(_first_of(self.first, zone), _first_of(self.last + timedelta(days=1), zone))


def moment(text: str, zone: tzinfo) -> datetime:
    """The time that a date (its first moment) or a time in ISO 8601 tells; without an offset it is one of `zone`.

    Raises:
        ValueError: it is neither.
    """
    if len(text) == len("2026-05-01"):
        return _first_of(date.fromisoformat(text), zone)
    told = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
    return (told.replace(tzinfo=zone) if told.tzinfo is None else told).astimezone(timezone.utc)


def month_of(now: datetime, zone: tzinfo) -> Window:
    """The month in which `now` lies."""
    first = now.astimezone(zone).date().replace(day=1)
    return Window(_first_of(first, zone), _first_of(_next_month(first), zone))


def months(window: Window, zone: tzinfo) -> Iterator[tuple[str, Window]]:
    """The parts of a window by the month in which they lie, such as 2026-05."""
    day = window.start.astimezone(zone).date().replace(day=1)
    turns = [window.start]
    while turns[-1] < window.end:
        day = _next_month(day)
        turns.append(min(_first_of(day, zone), window.end))
    for start, end in pairwise(turns):
        yield f"{start.astimezone(zone):%Y-%m}", Window(start, end)


def term_of(now: datetime, terms: Sequence[Term], zone: tzinfo) -> Window | None:
    """The term in which `now` lies; None between two."""
    windows = (term.window(zone) for term in terms)
    return next((window for window in windows if window.start <= now < window.end), None)


def by_term(window: Window, terms: Sequence[Term], zone: tzinfo) -> Iterator[tuple[str, Window]]:
    """The parts of a window by the term in which they lie, `OUTSIDE` for those in none; terms are by time."""
    reached = window.start
    for term in terms:
        whole = term.window(zone)
        start, end = max(whole.start, reached), min(whole.end, window.end)
        if start >= end:
            continue
        if reached < start:
            yield OUTSIDE, Window(reached, start)
        yield term.name, Window(start, end)
        reached = end
    if reached < window.end:
        yield OUTSIDE, Window(reached, window.end)


def _next_month(first: date) -> date:
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)


def _first_of(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(timezone.utc)
