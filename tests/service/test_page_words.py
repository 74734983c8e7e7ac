from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from labpool.domain.words import clock
from labpool.service.page_words import with_times
from labpool.service.spoken_times import in_zone

NOW = datetime(2026, 12, 31, 22, 15, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "ahead", [timedelta(0), timedelta(hours=1), timedelta(hours=5), timedelta(days=3), -timedelta(days=9)]
)
def test_times_in_a_sentence_of_the_pool_are_marked_with_their_moment(ahead: timedelta):
    moment = NOW + ahead
    said = clock(moment, timezone.utc, NOW)
    assert with_times(f"It ends at {said} at the latest.", NOW) == (
        f'It ends at <time datetime="{moment.isoformat()}">{said}</time> at the latest.'
    )


def test_what_people_typed_into_a_sentence_stays_text():
    shown = with_times('your server "<b>14:00 UTC</b>" holds 2', NOW)
    assert "<b>" not in shown
    assert "&lt;b&gt;" in shown


def test_day_that_only_a_leap_year_has_is_of_one():
    now = datetime(2027, 12, 1, tzinfo=timezone.utc)
    assert "2028-02-29T14:00:00+00:00" in with_times("at Tue 29 Feb, 14:00 UTC", now)


def test_times_of_a_mail_are_those_of_its_readers_clocks():
    said = "You were told 22:30 UTC at the latest. Now planned: Fri 1 Jan, 00:30 UTC."
    assert in_zone(said, NOW, ZoneInfo("Asia/Kolkata")) == (
        "You were told 04:00 IST at the latest. Now planned: 06:00 IST."  # it is the first of January there already
    )
    assert in_zone(said, NOW, ZoneInfo("Europe/Berlin")) == (
        "You were told 23:30 CET at the latest. Now planned: Fri 1 Jan, 01:30 CET."
    )
    assert in_zone(said, NOW, timezone.utc) == said
