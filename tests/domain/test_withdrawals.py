"""What admins say of machines, laid over what an engine finds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from labpool.domain.inventory import Condition, Device, Inventory, Node
from labpool.domain.withdrawals import Act, Withdrawal, with_withdrawals

NOW = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
DEVICES = tuple(Device(f"{node}-{index}", "gpu", node, index) for node in ("n1", "n2") for index in range(2))
FOUND = Inventory((Node("n1", 8, 64), Node("n2", 8, 64)), DEVICES)
DRAIN = Withdrawal("w1", Act.DRAIN, "n1", "", "New fans", "ada", NOW)
FENCE = replace(DRAIN, act=Act.FENCE)


def silent(since: datetime | None) -> Inventory:
    return replace(FOUND, nodes=(replace(FOUND.nodes[0], condition=Condition.SILENT, since=since), FOUND.nodes[1]))


def conditions(found: Inventory, *said: Withdrawal, now: datetime = NOW) -> list[Condition]:
    return [node.condition for node in with_withdrawals(found, said, now).nodes]


def test_without_anything_said_the_inventory_is_the_very_same():
    assert with_withdrawals(FOUND, (), NOW) is FOUND
    assert with_withdrawals(FOUND, [replace(DRAIN, until=NOW)], NOW) is FOUND


def test_drained_machine_says_since_when_and_why():
    node, other = with_withdrawals(FOUND, [DRAIN], NOW).nodes
    assert (node.condition, node.since, node.why) == (Condition.DRAINED, NOW, "New fans")
    assert other is FOUND.nodes[1]


def test_drained_device_is_withheld_beside_those_that_are_anyway():
    found = replace(FOUND, withheld=(("n2-0", "in use"),))
    shown = with_withdrawals(found, [replace(DRAIN, device="n1-1")], NOW)
    assert shown.out_of_use == {"n2-0", "n1-1"}
    assert shown.nodes == FOUND.nodes


def test_what_is_worse_than_drained_stays_so():
    assert conditions(silent(NOW), DRAIN) == [Condition.SILENT, Condition.SERVING]
    assert conditions(silent(NOW), DRAIN, FENCE) == [Condition.FAILED, Condition.SERVING]


@pytest.mark.parametrize(("since", "fenced"), [(NOW - HOUR, True), (NOW, True), (None, True), (NOW + HOUR, False)])
def test_fence_holds_for_the_silence_that_the_admin_saw(since: datetime | None, fenced: bool):
    assert FENCE.is_over(silent(since), NOW) is not fenced
    assert conditions(silent(since), FENCE)[0] is (Condition.FAILED if fenced else Condition.SILENT)


def test_fence_is_over_once_the_machine_answers_and_a_drain_once_its_date_has_come():
    assert FENCE.is_over(FOUND, NOW)
    ends = replace(DRAIN, until=NOW + HOUR)
    assert not ends.is_over(FOUND, NOW)
    assert ends.is_over(FOUND, NOW + HOUR)
    assert not DRAIN.is_over(FOUND, NOW + 1000 * HOUR)
