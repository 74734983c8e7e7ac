"""A timeline against counting minute by minute."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.timeline import FOREVER, Timeline, first_common_start

from tests.domain.lab import MINUTE, NINE

LAST = 40
spans = st.tuples(st.integers(0, 30), st.integers(1, 10), st.integers(1, 3))
bookings = st.lists(spans, max_size=12)


def booked(taken: list[tuple[int, int, int]]) -> Timeline:
    timeline = Timeline()
    for start, length, amount in taken:
        timeline.take(NINE + start * MINUTE, NINE + (start + length) * MINUTE, amount)
    return timeline


def counted(taken: list[tuple[int, int, int]], minute: int) -> int:
    return sum(amount for start, length, amount in taken if start <= minute < start + length)


def suits(taken: list[tuple[int, int, int]], room: int, minute: int, length: int) -> bool:
    return all(counted(taken, each) <= room for each in range(minute, minute + length))


@given(bookings)
def test_many_spans_at_once_come_to_the_same(taken: list[tuple[int, int, int]]):
    spans = [(NINE + start * MINUTE, NINE + (start + length) * MINUTE, amount) for start, length, amount in taken]
    assert Timeline.of(spans) == booked(taken)


@given(bookings, st.integers(0, LAST))
def test_what_is_taken_is_what_was_booked(taken: list[tuple[int, int, int]], minute: int):
    assert booked(taken).taken_at(NINE + minute * MINUTE) == counted(taken, minute)


@given(bookings, st.integers(0, 4), st.integers(1, 12), st.integers(0, LAST))
def test_first_start_is_the_first_minute_that_suits(
    taken: list[tuple[int, int, int]], room: int, length: int, minute: int
):
    wanted = next(each for each in range(minute, 2 * LAST + 20) if suits(taken, room, each, length))
    timeline, at = booked(taken), NINE + minute * MINUTE
    found = timeline.first_start(room, length * MINUTE, at, FOREVER)
    assert found == NINE + wanted * MINUTE
    assert timeline.fits(room, found, found + length * MINUTE)
    assert timeline.first_start(room, length * MINUTE, at, found) is None


@given(bookings, bookings, st.integers(0, 4), st.integers(1, 12))
def test_common_start_suits_both_and_none_before_does(
    one: list[tuple[int, int, int]], other: list[tuple[int, int, int]], room: int, length: int
):
    wanted = next(m for m in range(2 * LAST + 20) if suits(one, room, m, length) and suits(other, 2, m, length))
    tracks = [(booked(one), room), (booked(other), 2)]
    assert first_common_start(tracks, length * MINUTE, NINE, FOREVER) == NINE + wanted * MINUTE


@given(bookings, bookings)
def test_giving_back_leaves_no_trace(taken: list[tuple[int, int, int]], more: list[tuple[int, int, int]]):
    timeline = booked(taken + more)
    for start, length, amount in more:
        timeline.take(NINE + start * MINUTE, NINE + (start + length) * MINUTE, -amount)
    assert timeline == booked(taken)


def test_nothing_is_taken_in_no_time():
    timeline = Timeline()
    timeline.take(NINE, NINE - timedelta(seconds=1), 1)
    assert timeline == Timeline()
