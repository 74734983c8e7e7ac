"""What somebody in line was told of their likely start, and when it is worth telling them anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LEAST = timedelta(minutes=30)
PART = 0.5
"""Of the wait that was told."""
BETWEEN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Told:
    """The likely `start` that somebody was told `at` a time."""

    start: datetime
    at: datetime


def changed_a_lot(told: Told, likely: datetime) -> bool:
    """Whether a likely start is so far from the one that was told, earlier or later, that it upsets plans made by it.

    That is by more than half an hour and by more than half of the wait that was told. Half an hour: people come back
    by the clock, not by the minute, and each run that ends early moves estimates by that much. Half of the wait: an
    estimate is the less certain the further it looks ahead, and everybody knows that; ten hours that become twelve were
    to be expected, one that becomes three was not.
    """
    return abs(likely - told.start) > max(LEAST, PART * (told.start - told.at))
