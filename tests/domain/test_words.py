"""Numbers, times and names as people say them."""

from datetime import timedelta, timezone

import pytest
from labpool.domain.words import clock, count, decimal, gpu_hours, gpus, listed, ordinal, server, span

from tests.domain.lab import at


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (21, "21st"),
        (111, "111th"),
    ],
)
def test_places_are_said_in_order(place: int, said: str):
    assert ordinal(place) == said


@pytest.mark.parametrize(("number", "said"), [(0, "no GPU"), (1, "1 GPU"), (2, "2 GPUs")])
def test_numbers_agree_with_their_noun(number: int, said: str):
    assert count(number, "GPU") == said


def test_devices_are_counted_in_gpus_of_their_kind():
    assert gpus(2, "A100 80 GB") == "2 GPUs (A100 80 GB)"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (12, "12 s"), (59.6, "1 min"), (300, "5 min"), (5400, "1 h 30 min"), (28800, "8 h")],
)
def test_durations_are_said_in_hours_minutes_or_seconds(seconds: float, said: str):
    assert span(timedelta(seconds=seconds)) == said


def test_a_time_of_another_day_says_the_day():
    assert clock(at(1), timezone.utc, at(0)) == "10:00 UTC"
    assert clock(at(24), timezone.utc, at(0)) == "Tue 3 Mar, 09:00 UTC"


def test_the_day_is_the_readers_day():
    assert clock(at(14), timezone(timedelta(hours=9)), at(0)) == "Tue 3 Mar, 08:00"


def test_servers_are_called_by_their_name():
    assert server("train") == 'your server "train"'
    assert server("") == "your default server"


@pytest.mark.parametrize(("letters", "said"), [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_lists_read_as_a_sentence(letters: str, said: str):
    assert listed(list(letters)) == said


@pytest.mark.parametrize(
    ("number", "said"), [(200, "200"), (12.5, "12.5"), (0.25, "0.25"), (2.999, "2.99"), (12000, "12000"), (0, "0")]
)
def test_decimals_are_two_at_most_and_never_rounded_up(number: float, said: str):
    assert decimal(number) == said


@pytest.mark.parametrize(("number", "said"), [(0, "0 GPU-hours"), (1, "1 GPU-hour"), (1.5, "1.5 GPU-hours")])
def test_gpu_hours_agree_with_their_number(number: float, said: str):
    assert gpu_hours(number) == said
