"""Runs that are over, of which copies share one list."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from labpool.store import EndedRun
from labpool.store.ended_runs import EndedRuns

NOON = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
RUN = EndedRun("vision", "gpu", 1, NOON, NOON + timedelta(hours=1), "ada", "gpu-1", timedelta(hours=1), 1.0)
FIRST, SECOND, THIRD = (replace(RUN, user=name) for name in ("ada", "eve", "lin"))


def test_copy_that_is_added_to_leaves_the_others_as_they_were():
    before = EndedRuns([FIRST, SECOND])
    after = before.copy()
    after.append(THIRD)
    assert (list(before), list(after)) == ([FIRST, SECOND], [FIRST, SECOND, THIRD])
    assert (len(before), before[-1], before[1:], after[-1], after[1:]) == (2, SECOND, [SECOND], THIRD, [SECOND, THIRD])
    with pytest.raises(IndexError):
        before[2]


def test_only_one_copy_can_be_added_to():
    before = EndedRuns([FIRST])
    before.copy().append(SECOND)
    with pytest.raises(ValueError, match="another copy"):
        before.append(THIRD)
    with pytest.raises(ValueError, match="another copy"):
        before.copy().append(THIRD)
