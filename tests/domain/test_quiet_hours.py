"""Quiet hours on the clocks of a zone, also in the nights in which those are put forward or back."""

from __future__ import annotations

from datetime import datetime, time, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.quiet_hours import QuietHours

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(time(22), time(7), BERLIN)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-06-10T19:59", None),  # 21:59 in Berlin
        ("2026-06-10T20:00", "2026-06-11T05:00"),
        ("2026-06-11T04:59", "2026-06-11T05:00"),
        ("2026-06-11T05:00", None),
        ("2026-03-28T21:30", "2026-03-29T05:00"),  # clocks go forward: an hour less
        ("2026-10-24T20:30", "2026-10-25T06:00"),  # and back: an hour more
    ],
)
def test_a_night_without_mails(now: str, until: str | None):
    assert NIGHT.until(utc(now)) == (utc(until) if until else None)


def test_quiet_hours_within_a_day():
    lunch = QuietHours(time(12), time(13, 30), timezone.utc)
    assert lunch.until(utc("2026-06-10T13:29")) == utc("2026-06-10T13:30")
    assert lunch.until(utc("2026-06-10T11:59")) is None


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.times(), st.times())
def test_they_are_over_within_a_day_and_never_in_the_past(now: datetime, start: time, end: time):
    at = now.replace(tzinfo=timezone.utc)
    until = QuietHours(start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0), BERLIN).until(at)
    assert until is None or 0 <= (until - at).total_seconds() <= 25 * 3600
