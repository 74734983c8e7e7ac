"""Times in the pool's sentences, found again so that each reader sees them on clocks of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timezone, tzinfo
from typing import NamedTuple

from labpool.domain.words import clock

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CLOCK = re.compile(rf"(?:[A-Z][a-z][a-z] (\d{{1,2}}) ({'|'.join(_MONTHS)}), )?([01]\d|2[0-3]):([0-5]\d) UTC")


class Spoken(NamedTuple):
    """A time in a sentence: from which character to which, and the moment that is meant."""

    start: int
    end: int
    moment: datetime


def spoken_times(sentence: str, now: datetime) -> Iterator[Spoken]:
    """The times of a sentence, which are as `labpool.domain.words.clock` writes them in UTC.

    Args:
        sentence: Plain text.
        now: When the sentence was made: a time without a day is of this one.
    """
    for found in _CLOCK.finditer(sentence):
        moment = _moment(found, now.astimezone(timezone.utc))
        if moment is not None:
            yield Spoken(found.start(), found.end(), moment)


def in_zone(sentence: str, now: datetime, zone: tzinfo) -> str:
    """The sentence with its times on the clocks of `zone`, and the name of those beside each."""
    if zone is timezone.utc:
        return sentence
    parts, end = [], 0
    for said in spoken_times(sentence, now):
        local = f"{clock(said.moment, zone, now)} {said.moment.astimezone(zone):%Z}"
        parts += [sentence[end : said.start], local]
        end = said.end
    return "".join([*parts, sentence[end:]])


def _moment(found: re.Match[str], now: datetime) -> datetime | None:
    """The moment that is meant; None for a day that does not exist, such as somebody's own words may have."""
    day = now.date()
    if found[1]:
        month = _MONTHS.index(found[2]) + 1
        # no year is said: it is the one that brings the day nearest to now
        years = (year for year in (now.year - 1, now.year, now.year + 1) if _exists(year, month, int(found[1])))
        days = [date(year, month, int(found[1])) for year in years]
        if not days:
            return None
        day = min(days, key=lambda each: abs(each - now.date()))
    return datetime(day.year, day.month, day.day, int(found[3]), int(found[4]), tzinfo=timezone.utc)


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
