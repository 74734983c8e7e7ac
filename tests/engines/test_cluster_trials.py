"""Nodes that had no room are left alone for longer each time, until they take a server in."""

from __future__ import annotations

from labpool.engines.cluster.trials import REASON, Trials

from tests.engines.cluster_parts import pod

BEFORE = pod("before", 1, ticket="t1")


def test_node_that_had_no_room_is_kept_free_for_a_while():
    trials = Trials()
    trials.refused("n1", (BEFORE,), 100.0)
    assert trials.kept_free((BEFORE,), 100.0) == {"n1": REASON}
    assert trials.kept_free((BEFORE,), 160.0) == {}


def test_each_refusal_in_a_row_doubles_the_time_up_to_an_hour():
    trials, now = Trials(), 0.0
    for pause in (60, 120, 240, 480, 960, 1920, 3600, 3600):
        trials.refused("n1", (), now)
        assert trials.kept_free((), now + pause - 1) == {"n1": REASON}
        assert trials.kept_free((), now + pause) == {}
        now += pause


def test_node_that_takes_a_server_in_is_forgiven():
    trials = Trials()
    trials.refused("n1", (BEFORE,), 0.0)
    trials.refused("n1", (BEFORE,), 60.0)
    after = pod("after", 1, ticket="t2")
    assert trials.kept_free((BEFORE, after), 61.0) == {}
    trials.refused("n1", (BEFORE, after), 62.0)
    assert trials.kept_free((BEFORE, after), 62.0 + 60.0) == {}
    assert trials.kept_free((BEFORE, after), 62.0 + 59.0) == {"n1": REASON}
