"""Repeated reservations: RRULEs on the clocks of a zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from labpool.service.recurrence import AHEAD, NotATime, checked, first_time, occurrences, zone_of
from labpool.store import ReservationSeries

BERLIN = "Europe/Berlin"
MONDAY = datetime(2026, 10, 19, 9, 0)  # clocks go back on the 25th


def series(repeat: str | None, hours: float = 3, wall: datetime = MONDAY, zone: str = BERLIN) -> ReservationSeries:
    start, end = first_time(wall, hours, zone)
    return ReservationSeries("r1", "vision", "gpu", 2, "", start, end, zone, repeat, None, "", "admin", start)


def walls(found: ReservationSeries, days: float = 90) -> Iterator[datetime]:
    zone = zone_of(found.zone)
    for each in occurrences(found, found.start, found.start + timedelta(days=days)):
        yield each.start.astimezone(zone).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("zone", "wall"),
    [(BERLIN, datetime(2026, 3, 23, 9)), (BERLIN, MONDAY), ("America/New_York", datetime(2026, 10, 26, 9))],
)
def test_the_clocks_show_the_same_time_in_summer_and_winter(zone: str, wall: datetime):
    weekly = checked(series("FREQ=WEEKLY", wall=wall, zone=zone))
    assert list(walls(weekly, 20)) == [wall + timedelta(weeks=each) for each in range(3)]
    found = list(occurrences(weekly, weekly.start, weekly.start + timedelta(days=20)))
    assert {each.start.utcoffset() for each in found} == {timedelta(0)}
    assert len({each.start.hour for each in found}) == 2
    assert {each.end - each.start for each in found} == {timedelta(hours=3)}


def test_what_the_clocks_skip_is_an_hour_later_that_day():
    daily = checked(series("FREQ=DAILY", wall=datetime(2026, 3, 28, 2, 30)))
    assert [each.hour for each in walls(daily, 2.5)] == [2, 3, 2]
    with pytest.raises(NotATime, match="skip 02:30 on 2026-03-29"):
        series(None, wall=datetime(2026, 3, 29, 2, 30))


def test_what_the_clocks_show_twice_is_the_first_time():
    assert series(None, wall=datetime(2026, 10, 25, 2, 30)).start == datetime(2026, 10, 25, 0, 30, tzinfo=timezone.utc)


def test_ids_stay_and_what_is_over_is_left_out():
    weekly = checked(series("FREQ=WEEKLY;COUNT=3"))
    first, second, third = occurrences(weekly, weekly.start, weekly.start + AHEAD)
    assert first.id == "r1@20261019T0700Z"
    assert list(occurrences(weekly, first.end - timedelta(seconds=1), second.end)) == [first, second]
    assert list(occurrences(weekly, first.end, third.start)) == [second]
    assert weekly.until == third.end


def test_until_a_day_counts_that_day():
    last = timedelta(weeks=2)
    by_day = checked(series("FREQ=WEEKLY;UNTIL=20261102"))
    by_moment = checked(series("FREQ=WEEKLY;UNTIL=20261102T080000Z"))
    assert list(walls(by_day))[-1] == list(walls(by_moment))[-1] == MONDAY + last
    assert list(walls(checked(series("FREQ=WEEKLY;UNTIL=20261102T075959Z"))))[-1] == MONDAY + last / 2


@pytest.mark.parametrize(
    ("repeat", "times"),
    [
        (None, 1),
        ("FREQ=DAILY", 90),
        ("RRULE:freq=weekly;byday=mo,we", 26),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", 65),
        ("FREQ=MONTHLY;BYDAY=3MO", 3),
        ("FREQ=MONTHLY;BYMONTHDAY=19", 3),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=MO", 7),
        ("FREQ=WEEKLY;BYMONTH=10,11", 7),
    ],
)
def test_times_within_90_days(repeat: str | None, times: int):
    assert len(list(walls(checked(series(repeat))))) == times


def test_a_rule_is_kept_in_one_order():
    assert checked(series("RRULE:byday=mo,we;freq=weekly")).repeat == "FREQ=WEEKLY;BYDAY=MO,WE"


@pytest.mark.parametrize(
    ("repeat", "said"),
    [
        ("", "is no part of a rule"),
        ("every day", "is no part of a rule"),
        ("BYDAY=MO", "how often"),
        ("FREQ=SECONDLY", "FREQ=SECONDLY"),
        ("FREQ=MINUTELY", "FREQ=MINUTELY"),
        ("FREQ=HOURLY", "FREQ=HOURLY"),
        ("FREQ=DAILY;BYHOUR=1,2,3", "BYHOUR"),
        ("FREQ=DAILY;FREQ=WEEKLY", "FREQ=WEEKLY"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0"),
        ("FREQ=DAILY;COUNT=1000", "COUNT=1000"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20261102", "either COUNT or UNTIL"),
        ("FREQ=DAILY;UNTIL=20261340", "Not a rule"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY=XX"),
        ("FREQ=WEEKLY;BYDAY=2MO", "belong to FREQ=MONTHLY"),
        ("FREQ=DAILY;BYMONTHDAY=30;BYMONTH=2", "belong to FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYMONTHDAY=30;BYMONTH=2", "no time at the start"),
        ("FREQ=MONTHLY;BYDAY=9MO", "BYDAY=9MO"),
        ("FREQ=WEEKLY;BYDAY=TU", "no time at the start"),
        ("FREQ=WEEKLY;UNTIL=20261001", "no time at the start"),
    ],
)
def test_a_rule_that_is_not_understood_is_refused_with_what_to_write(repeat: str, said: str):
    with pytest.raises(NotATime, match=said):
        checked(series(repeat))


def test_times_that_overlap_are_refused():
    assert checked(series("FREQ=DAILY", hours=23))
    with pytest.raises(NotATime, match="overlap"):
        checked(series("FREQ=DAILY", hours=25))
    with pytest.raises(NotATime, match="overlap"):
        checked(series("FREQ=DAILY", hours=24, wall=datetime(2026, 3, 1, 9)))  # the day with 23 hours


@pytest.mark.parametrize("zone", ["", "Berlin", "Europe/Nowhere", "../etc/passwd", "/etc/localtime"])
def test_an_unknown_zone_is_refused(zone: str):
    with pytest.raises(NotATime, match="no time zone"):
        series(None, zone=zone)
