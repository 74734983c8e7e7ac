"""When a likely start is so far from what was told that it is worth telling."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from labpool.domain.estimates import Told, changed_a_lot

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("wait", "later", "a_lot"),
    [(20, 30, False), (20, 31, True), (60, 31, True), (600, 120, False), (600, 301, True), (600, -301, True)],
)
def test_a_lot_is_more_than_half_an_hour_and_than_half_of_the_wait_that_was_told(wait: int, later: int, a_lot: bool):
    told = Told(NOW + timedelta(minutes=wait), NOW)
    assert changed_a_lot(told, told.start + timedelta(minutes=later)) is a_lot
