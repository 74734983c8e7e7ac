from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.simulation.policies import fifo
from labpool.domain.simulation.timeline import averages, busy_changes, waiting_changes

from tests.domain.simulation.traces import HOUR, arrival, played


def test_averages_by_hand():
    assert averages([(0, 2), (15, -1), (30, -1)], 0, 40, 4) == pytest.approx([2, 1.5, 1, 0])


def test_what_happened_before_counts_and_what_comes_after_does_not():
    assert averages([(-5, 3), (90, 7)], 0, 10, 2) == pytest.approx([3, 3])


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(-3, 3))), st.integers(1, 50))
def test_finer_spans_keep_the_average(changes: list[tuple[float, float]], spans: int):
    [whole] = averages(changes, 0, 100, 1)
    assert sum(averages(changes, 0, 100, spans)) / spans == pytest.approx(whole, abs=1e-6)


def test_no_time_is_the_callers_mistake():
    with pytest.raises(ValueError, match="expected some time"):
        averages([], 5, 5, 3)


def test_use_and_queue_of_a_replay():
    outcome = played(fifo, arrival(0, gpus=4, wall=2), arrival(1, gpus=3, wall=1), nodes={"n1": 4})
    assert averages(busy_changes(outcome), 0, 4 * HOUR, 4) == pytest.approx([4, 4, 3, 0])
    assert averages(waiting_changes(outcome), 0, 4 * HOUR, 4) == pytest.approx([0, 1, 0, 0])
