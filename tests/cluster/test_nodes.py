"""What is read of nodes."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from labpool.cluster.nodes import Taint, node_of
from labpool.settings import Toleration


def test_node_is_read_whatever_it_offers():
    item = {
        "metadata": {"name": "one", "labels": {"kubernetes.io/os": "linux"}},
        "status": {"allocatable": {"cpu": "63770m", "memory": "527988432Ki", "nvidia.com/gpu": "8"}},
    }
    node = node_of(item)
    assert (node.offers("cpu"), node.offers("nvidia.com/gpu"), node.offers("google.com/tpu")) == (63_770, 8_000, 0)
    assert node.has({"kubernetes.io/os": "linux"}) and not node.has({"kubernetes.io/os": "windows"})


def test_node_is_ready_only_while_its_kubelet_says_so():
    at = "2026-11-27T09:46:43Z"
    for status, ready in (("True", True), ("False", False), ("Unknown", False)):
        conditions = [{"type": "Ready", "status": status, "lastTransitionTime": at}]
        node = node_of({"metadata": {"name": "one"}, "status": {"conditions": conditions}})
        assert (node.ready, node.since) == (ready, datetime(2026, 11, 27, 9, 46, 43, tzinfo=timezone.utc))
    assert not node_of({"metadata": {"name": "new"}}).ready


def test_closed_node_and_its_taints_are_read():
    taints = [{"key": "lab/service", "value": "yes", "effect": "NoExecute"}]
    node = node_of({"metadata": {"name": "one"}, "spec": {"unschedulable": True, "taints": taints}})
    assert (node.closed, node.taints) == (True, (Taint("lab/service", "yes", "NoExecute"),))


@pytest.mark.parametrize(
    ("toleration", "kept_away"),
    [
        (Toleration("gpu"), False),
        (Toleration("gpu", "present"), False),
        (Toleration("gpu", "present", "NoSchedule"), False),
        (Toleration("gpu", "other"), True),
        (Toleration("gpu", "present", "NoExecute"), True),
        (Toleration("other"), True),
    ],
)
def test_taint_keeps_away_what_does_not_tolerate_it(toleration: Toleration, kept_away: bool):
    assert Taint("gpu", "present", "NoSchedule").keeps_away([toleration]) is kept_away


def test_taint_that_only_prefers_keeps_nobody_away():
    assert not Taint("gpu", "present", "PreferNoSchedule").keeps_away([])
