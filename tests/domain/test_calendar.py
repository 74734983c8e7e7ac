"""Times as people write them, and the months between two."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from labpool.domain.calendar import Window, moment, month_of, months

BERLIN = ZoneInfo("Europe/Berlin")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-07-01", utc(2026, 6, 30, 22)),
        ("2026-01-01", utc(2025, 12, 31, 23)),
        ("2026-07-01T08:30", utc(2026, 7, 1, 6, 30)),
        ("2026-07-01T08:30:00Z", utc(2026, 7, 1, 8, 30)),
        ("2026-07-01T08:30:00+05:00", utc(2026, 7, 1, 3, 30)),
    ],
)
def test_dates_and_times_are_those_of_the_zone_unless_they_say_otherwise(text: str, expected: datetime):
    assert moment(text, BERLIN) == expected


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-7-1", "2026-07-01T25:00"])
def test_other_text_is_no_time(text: str):
    with pytest.raises(ValueError):
        moment(text, BERLIN)


def test_months_follow_the_clocks_of_the_zone_over_the_turn_of_a_year():
    assert month_of(utc(2026, 6, 30, 22, 30), BERLIN) == Window(utc(2026, 6, 30, 22), utc(2026, 7, 31, 22))
    window = Window(utc(2025, 11, 15), utc(2026, 2, 1))
    assert dict(months(window, BERLIN)) == {
        "2025-11": Window(window.start, utc(2025, 11, 30, 23)),
        "2025-12": Window(utc(2025, 11, 30, 23), utc(2025, 12, 31, 23)),
        "2026-01": Window(utc(2025, 12, 31, 23), utc(2026, 1, 31, 23)),
        "2026-02": Window(utc(2026, 1, 31, 23), window.end),
    }
