"""Nodes that had no room are left alone for longer each time, until they take a server in."""

from __future__ import annotations

from labpool.cluster.pods import SeenPod
from labpool.engines.cluster.trials import REASON, Asks, Trials, asks_of

from tests.engines.cluster_parts import pod

BEFORE = pod("before", 1, ticket="t1")
MUCH, LITTLE = asks_of(pod("much", 4)), asks_of(pod("little", 1))


def refused(trials: Trials, node: str, now: float, *servers: SeenPod, asks: Asks = MUCH, nodes: int = 9) -> None:
    trials.refused(node, asks, servers, now, nodes)


def test_node_that_had_no_room_is_kept_free_for_a_while():
    trials = Trials()
    refused(trials, "n1", 100.0, BEFORE)
    assert trials.kept_free((BEFORE,), 100.0) == {"n1": REASON}
    assert trials.kept_free((BEFORE,), 160.0) == {}


def test_each_refusal_in_a_row_doubles_the_time_up_to_an_hour():
    trials, now = Trials(), 0.0
    for pause in (60, 120, 240, 480, 960, 1920, 3600, 3600):
        refused(trials, "n1", now)
        assert trials.kept_free((), now + pause - 1) == {"n1": REASON}
        assert trials.kept_free((), now + pause) == {}
        now += pause


def test_node_that_takes_a_server_in_is_forgiven():
    trials = Trials()
    refused(trials, "n1", 0.0, BEFORE)
    refused(trials, "n1", 60.0, BEFORE)
    after = pod("after", 1, ticket="t2")
    assert trials.kept_free((BEFORE, after), 61.0) == {}
    refused(trials, "n1", 62.0, BEFORE, after)
    assert trials.kept_free((BEFORE, after), 62.0 + 60.0) == {}
    assert trials.kept_free((BEFORE, after), 62.0 + 59.0) == {"n1": REASON}


def test_what_finds_room_nowhere_keeps_only_one_node_from_others():
    trials = Trials()
    for number, node in enumerate(("n1", "n2", "n3", "n4")):
        refused(trials, node, float(number))
    assert trials.kept_free((), 4.0) == {"n4": REASON}
    refused(trials, "n1", 5.0)
    assert trials.kept_free((), 6.0) == {"n1": REASON}


def test_of_two_nodes_one_is_left_and_of_one_none():
    trials = Trials()
    refused(trials, "n1", 0.0, nodes=2)
    refused(trials, "n2", 1.0, nodes=2)
    assert trials.kept_free((), 2.0) == {"n2": REASON}
    alone = Trials()
    refused(alone, "n1", 0.0, nodes=1)
    assert alone.kept_free((), 1.0) == {"n1": REASON}


def test_node_that_refused_others_too_stays_closed():
    trials = Trials()
    refused(trials, "n1", 0.0, asks=LITTLE)
    for number, node in enumerate(("n1", "n2", "n3")):
        refused(trials, node, 1.0 + number)
    assert trials.kept_free((), 5.0).keys() == {"n1", "n3"}


def test_what_found_room_after_all_is_not_to_blame():
    trials = Trials()
    refused(trials, "n1", 0.0)
    refused(trials, "n2", 1.0)
    trials.kept_free((pod("much", 4, on="n5", ticket="t1"),), 2.0)
    refused(trials, "n3", 3.0)
    assert trials.kept_free((), 4.0).keys() == {"n1", "n2", "n3"}
