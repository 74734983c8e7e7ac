"""Times as people write them, and the months and terms between two."""

from __future__ import annotations

from datetime import date, datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from labpool.domain.calendar import OUTSIDE, Term, Window, by_term, moment, month_of, months, term_of

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


WINTER = Term("Winter", date(2025, 10, 1), date(2026, 3, 31))
SUMMER = Term("Summer", date(2026, 4, 15), date(2026, 9, 30))


def test_terms_last_from_their_first_day_to_their_last_and_days_between_them_are_in_none():
    window = Window(utc(2025, 9, 1), utc(2026, 12, 1))
    assert list(by_term(window, (WINTER, SUMMER), BERLIN)) == [
        (OUTSIDE, Window(window.start, utc(2025, 9, 30, 22))),
        ("Winter", Window(utc(2025, 9, 30, 22), utc(2026, 3, 31, 22))),
        (OUTSIDE, Window(utc(2026, 3, 31, 22), utc(2026, 4, 14, 22))),
        ("Summer", Window(utc(2026, 4, 14, 22), utc(2026, 9, 30, 22))),
        (OUTSIDE, Window(utc(2026, 9, 30, 22), window.end)),
    ]
    inside = Window(utc(2026, 5, 1), utc(2026, 6, 1))
    assert list(by_term(inside, (WINTER, SUMMER), BERLIN)) == [("Summer", inside)]
    assert list(by_term(inside, (WINTER,), BERLIN)) == [(OUTSIDE, inside)]


def test_term_of_a_time_is_the_one_whose_days_it_lies_in():
    assert term_of(utc(2026, 3, 31, 21, 59), (WINTER, SUMMER), BERLIN) == WINTER.window(BERLIN)
    assert term_of(utc(2026, 3, 31, 22), (WINTER, SUMMER), BERLIN) is None
