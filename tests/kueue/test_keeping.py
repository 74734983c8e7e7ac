"""Which Workloads there should be for which tickets, and what is done to get there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from labpool.domain.budgets import Budget
from labpool.domain.catalogue import Catalogue
from labpool.domain.tickets import Event, Ticket
from labpool.domain.world import World
from labpool.kueue.keeping import Activate, GiveBack, HoldOff, Make, NoteReady, Rejoin, Remove, steps
from labpool.kueue.workloads import Condition, Workload

from tests.domain.lab import NINE, at, catalogue, inventory, lease, running, ticket

SINCE = "2026-03-02T09:00:00Z"
TWO = inventory({"n1": 2})


def workload(name: str = "train", *true: str, attempt: int = 1, active: bool = True, suffix: str = "") -> Workload:
    """The Workload of a ticket, with some of its conditions true since nine."""
    conditions = tuple(Condition(each, "True", since=SINCE) for each in true)
    named = f"ticket-{name}{suffix}"
    return Workload(
        named,
        "u1",
        "7",
        "vision",
        300,
        NINE,
        "p1",
        name,
        attempt,
        "as-now",
        active,
        node="n1",
        conditions=conditions,
    )


def due(world: World, *there: Workload, held_off: str = "", seconds: float = 0):
    now = NINE + timedelta(seconds=seconds)
    return list(steps(world, {each.name: each for each in there}, lambda _: "as-now", {held_off}, now))


def waits(asked: Ticket | None = None, gpus: int = 4) -> World:
    """Only this ticket is there."""
    return World(TWO, catalogue(gpus=gpus), (asked or ticket("train"),))


ADMITTED = ("QuotaReserved", "Admitted")
BACK = ("QuotaReserved", "Admitted", "Evicted")


def test_ticket_in_line_gets_a_workload_at_once():
    assert due(waits()) == [Make(ticket("train"), active=True)]


def test_who_may_not_start_has_an_inactive_one():
    mine = lease("mine", "n1-0", "n1-1", user="ada")
    world = World(TWO, catalogue(gpus=2), (running(mine), ticket("train")), (mine,))
    held = workload("mine", *ADMITTED)
    assert due(world, held) == [Make(ticket("train"), active=False)]
    assert due(world, held, workload()) == [Activate(workload(), active=False)]
    after = replace(world, leases=(), tickets=(ticket("train"),))
    inactive = workload(active=False)
    assert due(after, inactive) == [Activate(inactive, active=True)]


def test_whom_the_budget_does_not_pay_for_has_an_inactive_one_until_it_does():
    spent = lease("spent", "n1-0", user="bert", until=3)
    world = World(TWO, with_budget(4), (running(spent), ticket("train")), (spent,))
    held, inactive = workload("spent", *ADMITTED), workload(active=False)
    assert due(world, held) == [Make(ticket("train"), active=False)]
    assert due(world, held, workload()) == [Activate(workload(), active=False)]
    assert due(replace(world, catalogue=with_budget(5)), held, inactive) == [Activate(inactive, active=True)]


def with_budget(gpu_hours: float) -> Catalogue:
    rules = catalogue()
    vision = replace(rules.projects["vision"], budget=Budget(gpu_hours))
    return replace(rules, projects={"vision": vision})


def test_nothing_is_done_to_what_stands_in_line_or_has_its_turn():
    assert due(waits(), workload()) == []
    assert due(waits(), workload("train", *ADMITTED)) == []


def test_turn_that_comes_to_nothing_is_given_up_after_a_while():
    admitted = workload("train", *ADMITTED)
    assert due(waits(), admitted, seconds=29) == []
    assert due(waits(), admitted, seconds=31) == [HoldOff(admitted)]
    assert due(waits(), admitted, held_off="train") == [Activate(admitted, active=False)]
    asked_back = workload("train", *BACK, active=False)
    assert due(waits(), asked_back, held_off="train") == [GiveBack(asked_back)]
    assert due(waits(), workload(active=False), held_off="train") == []


def test_turn_that_is_asked_back_before_the_start_is_given_back():
    asked_back = workload("train", *BACK)
    assert due(waits(), asked_back) == [GiveBack(asked_back)]


def test_new_attempt_gives_back_first_and_then_stands_where_it_stood():
    again = waits(replace(ticket("train"), attempt=2))
    old = workload("train", *ADMITTED)
    assert due(again, old) == [Activate(old, active=False)]
    inactive = replace(old, active=False)
    assert due(again, inactive) == [GiveBack(inactive)]
    given_back = workload(active=False)
    assert due(again, given_back) == [Rejoin(given_back, again.tickets[0], active=True)]


def test_waiting_workload_asks_for_what_its_ticket_asks_for_now():
    older = replace(workload(), made_of="something else")
    assert due(waits(), older) == [Rejoin(older, ticket("train"), active=True)]
    its_turn = replace(workload("train", *ADMITTED), made_of="something else")
    assert due(waits(), its_turn) == []
    held = lease("train", "n1-0", user="ada")
    assert due(World(TWO, catalogue(), (running(held),), (held,)), its_turn) == []


def test_server_that_is_up_is_told_once():
    held = replace(lease("train", "n1-0", user="ada"), ready_at=at(0.01))
    world = World(TWO, catalogue(), (running(held),), (held,))
    admitted = workload("train", *ADMITTED)
    assert due(world, admitted) == [NoteReady(admitted)]
    assert due(world, workload("train", *ADMITTED, "PodsReady")) == []
    starting = replace(world, leases=(replace(held, ready_at=None),))
    assert due(starting, admitted) == []


def test_lease_whose_workload_is_gone_or_finished_gets_another_one_for_its_machine():
    held = lease("train", "n1-0", user="ada")
    world = World(TWO, catalogue(), (running(held),), (held,))
    assert due(world) == [Make(running(held), active=True, node="n1")]
    finished = workload("train", "Finished")
    assert due(world, finished) == [Remove(finished)]
    assert due(world, replace(finished, going=True)) == []
    assert due(replace(world, tickets=(running(held).after(Event.RECLAIM, NINE),))) == []
    assert due(replace(world, leases=(replace(held, stopping_since=NINE),))) == []


def test_lease_that_kueue_does_not_let_in_again_stands_in_nobodys_way():
    held = lease("train", "n1-0", user="ada")
    world = World(TWO, catalogue(), (running(held),), (held,))
    assert due(world, workload(), seconds=119) == []
    assert due(world, workload(), seconds=121) == [Activate(workload(), active=False)]
    assert due(world, workload(active=False), seconds=121) == []


def test_workload_without_a_ticket_goes_once():
    left = workload("gone", *ADMITTED)
    assert due(World(TWO, catalogue()), left) == [Remove(left)]
    assert due(World(TWO, catalogue()), replace(left, going=True)) == []


def test_who_missed_the_turn_leaves_the_line_and_joins_its_end_with_another_workload():
    missed = ticket("train").after(Event.GRANT, NINE).after(Event.UNCLAIMED, NINE)
    first = workload("train", *ADMITTED)
    assert due(waits(missed), first) == [Remove(first)]
    ready = missed.said_ready(NINE)
    assert due(waits(ready)) == [Make(ready, active=True)]
    assert due(waits(ready), workload("train", suffix="-1")) == []


@pytest.mark.parametrize("kind", ["Finished"])
def test_workload_that_somebody_finished_is_made_anew(kind: str):
    finished = workload("train", kind)
    assert due(waits(), finished) == [Remove(finished)]
    assert due(waits(), replace(finished, going=True)) == []
