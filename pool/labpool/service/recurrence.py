"""When a reservation's times are: RRULEs (RFC 5545, read by dateutil) on the clocks of an IANA zone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from dateutil.rrule import rrule, rrulestr

from labpool.domain.reservations import Reservation
from labpool.store import ReservationSeries

AHEAD = timedelta(days=90)
"""So far ahead reservations are made, and repeated ones expanded."""

_CHECKED_AHEAD = timedelta(days=366)
_LAST_MINUTE = timedelta(days=1, seconds=-1)
_DAYS = "(?:MO|TU|WE|TH|FR|SA|SU)"
_PARTS = {
    "FREQ": "DAILY|WEEKLY|MONTHLY",
    "INTERVAL": "[1-9]|[1-4][0-9]|5[0-2]",
    "COUNT": "[1-9]|[1-9][0-9]|[1-3][0-9][0-9]",
    "UNTIL": "2[0-9]{7}(?:T[0-9]{6}Z)?",
    "BYDAY": f"(?:-?[1-5])?{_DAYS}(?:,(?:-?[1-5])?{_DAYS})*",
    "BYMONTHDAY": "-?(?:[1-9]|[12][0-9]|3[01])(?:,-?(?:[1-9]|[12][0-9]|3[01]))*",
    "BYMONTH": "(?:[1-9]|1[0-2])(?:,(?:[1-9]|1[0-2]))*",
    "WKST": _DAYS,
}
"""What an RRULE may have, and how it is written: with these no rule has more than one time a day."""
_EXAMPLE = "Write, for example, FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20270212"


class NotATime(ValueError):
    """A reservation's time can't be understood; the message says what was expected and what to write."""


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone of this name.

    Raises:
        NotATime: there is none.
    """
    if name not in available_timezones():
        raise NotATime(f"There is no time zone {name!r}. Write the name of an IANA zone, such as Europe/Berlin or UTC.")
    return ZoneInfo(name)


def moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which the clocks of `zone` show `wall`, in UTC.

    RFC 5545, 3.3.5: what they show twice is meant the first time; what they skip, by the offset before.
    """
    return wall.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)


def first_time(wall: datetime, hours: float, zone: str) -> tuple[datetime, datetime]:
    """Start, in whole minutes, and end of a reservation's first time, in UTC.

    Raises:
        NotATime: the zone is unknown, or its clocks skip that time.
    """
    wall = wall.replace(second=0, microsecond=0)
    known = zone_of(zone)
    start = moment(wall, known)
    if _wall(start, known) != wall:
        raise NotATime(f"The clocks of {zone} skip {wall:%H:%M} on {wall:%Y-%m-%d}. Choose another time.")
    return start, start + timedelta(hours=hours)


def checked(series: ReservationSeries) -> ReservationSeries:
    """The reservation with its rule in order, and with `until`.

    Raises:
        NotATime: the rule is none that is understood, does not begin with the reservation's start, or one time would
            begin before the one before it is over.
    """
    if series.repeat is None:
        return replace(series, until=series.end)
    parts = _parts(series.repeat)
    series = replace(series, repeat=";".join(f"{name}={value}" for name, value in parts.items()))
    try:
        starts = list(_starts(series, series.start, series.start + _CHECKED_AHEAD))
        if not starts or starts[0] != series.start:
            raise NotATime(f"The rule {series.repeat} has no time at the start itself. Begin on a day that it has.")
        length = series.end - series.start
        if any(start + length > after for start, after in pairwise(starts)):
            raise NotATime("Its times overlap. Let it be shorter, or repeat less often.")
        return replace(series, until=_over(series, parts))
    except (ValueError, OverflowError) as error:
        raise error if isinstance(error, NotATime) else NotATime(f"Not a rule: {error}. {_EXAMPLE}") from error


def occurrences(series: ReservationSeries, after: datetime, before: datetime) -> Iterator[Reservation]:
    """The times of a reservation that end after `after` and start before `before`, in order.

    An occurrence's id stays the same: that of the reservation, and its start in UTC.
    """
    length = series.end - series.start
    for start in _starts(series, after - length, before):
        if start + length > after:
            name = f"{series.id}@{start:%Y%m%dT%H%MZ}"
            project = series.project or ""
            yield Reservation(name, start, start + length, project, series.flavour, series.devices, series.node)


def _starts(series: ReservationSeries, first: datetime, before: datetime) -> Iterator[datetime]:
    """Starts from `first` on, before `before`: the same time on the zone's clocks, summer and winter."""
    if series.repeat is None:
        yield from [series.start] if first <= series.start < before else []
        return
    zone = ZoneInfo(series.zone)
    day = timedelta(days=1)  # clocks skip less, so that nothing at the edges is missed
    walls = _rule(series, zone).between(_wall(first, zone) - day, _wall(before, zone) + day, inc=True)
    yield from (start for start in (moment(wall, zone) for wall in walls) if first <= start < before)


def _rule(series: ReservationSeries, zone: ZoneInfo) -> rrule:
    parts = _parts(series.repeat or "")
    until = parts.pop("UNTIL", "")
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    found = rrulestr(text, dtstart=_wall(series.start, zone))
    if not isinstance(found, rrule):
        raise TypeError(f"expected one rule, got a set of them from {text}")
    return found.replace(until=_until(until, zone)) if until else found


def _until(text: str, zone: ZoneInfo) -> datetime:
    """The last time of a rule on the zone's clocks; a day counts to its end."""
    if len(text) == 8:
        return datetime.strptime(text, "%Y%m%d") + _LAST_MINUTE
    return _wall(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc), zone)


def _over(series: ReservationSeries, parts: dict[str, str]) -> datetime | None:
    """When it is over at the latest; None where it goes on for ever."""
    zone = ZoneInfo(series.zone)
    if "UNTIL" in parts:
        return moment(_until(parts["UNTIL"], zone), zone) + (series.end - series.start)
    if "COUNT" in parts:
        return moment(max(_rule(series, zone)), zone) + (series.end - series.start)
    return None


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def _parts(rule: str) -> dict[str, str]:
    """The parts of a rule by name, FREQ first."""
    parts: dict[str, str] = {}
    for part in rule.upper().removeprefix("RRULE:").strip().split(";"):
        name, _, value = part.partition("=")
        if name not in _PARTS or name in parts or not re.fullmatch(_PARTS[name], value):
            raise NotATime(f"{part!r} is no part of a rule that is understood here. {_EXAMPLE}")
        parts[name] = value
    if "FREQ" not in parts:
        raise NotATime(f"The rule does not say how often (FREQ). {_EXAMPLE}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise NotATime("A rule has either COUNT or UNTIL. Leave one of them out.")
    if parts["FREQ"] != "MONTHLY" and ("BYMONTHDAY" in parts or re.search("[0-9]", parts.get("BYDAY", ""))):
        raise NotATime("Days of the month belong to FREQ=MONTHLY. Write that, or name weekdays: BYDAY=MO,WE")
    return dict(sorted(parts.items(), key=lambda part: list(_PARTS).index(part[0])))
