"""Pools that go wrong about machines out of service, in one thing each. The histories must catch every one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from labpool.domain import ends
from labpool.domain.inventory import Condition, Inventory
from labpool.domain.world import World

from tests.domain.history import PEACEFUL, TROUBLE
from tests.domain.rules import InvariantBroken
from tests.mutants.test_planner_mutants import hunt

pytestmark = pytest.mark.once

MACHINES = PEACEFUL + TROUBLE + 3 * ("drain_node", "fail_node", "return_node")


def test_the_unharmed_pool_survives_the_hunt():
    hunt(MACHINES)


@pytest.mark.parametrize("served", [Condition.DRAINED, Condition.SILENT])
def test_a_pool_that_grants_on_a_machine_out_of_service_is_caught(monkeypatch: pytest.MonkeyPatch, served: Condition):
    really = _getter(Inventory.out_of_use)

    def blind(self: Inventory) -> frozenset[str]:
        nodes = tuple(node for node in self.nodes if node.condition is not served)
        return really(replace(self, nodes=nodes))

    monkeypatch.setattr(Inventory, "out_of_use", property(blind))
    with pytest.raises(InvariantBroken, match=rf"was given node ., which is {served.value}"):
        hunt(MACHINES)


def test_a_pool_that_counts_what_is_lost_with_its_machine_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(World, "counted", property(lambda self: self.leases))
    with pytest.raises(InvariantBroken, match=r"counts against somebody"):
        hunt(MACHINES)


def test_a_pool_that_charges_for_what_nobody_could_use_is_caught(monkeypatch: pytest.MonkeyPatch):
    really = ends._while_lost
    monkeypatch.setattr(ends, "_while_lost", lambda *given: really(*given[:-1], replace(given[-1], since=None)))
    with pytest.raises(InvariantBroken, match=r"lost its node after .* is not the .* left"):
        hunt(MACHINES)


def test_a_pool_that_gives_a_silent_machine_up_at_once_is_caught(monkeypatch: pytest.MonkeyPatch):
    really = ends._while_lost
    failed = Condition.FAILED
    monkeypatch.setattr(ends, "_while_lost", lambda *given: really(*given[:-1], replace(given[-1], condition=failed)))
    with pytest.raises(InvariantBroken, match=r"was given up at once"):
        hunt(MACHINES)


def _getter(of: object) -> Callable[[Inventory], frozenset[str]]:
    assert isinstance(of, property)
    assert of.fget is not None
    return of.fget
