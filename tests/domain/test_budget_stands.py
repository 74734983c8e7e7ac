"""How a budget stands: used, set aside, left."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from labpool.domain.budget_stands import BudgetStand, budget_sentence, budget_stands
from labpool.domain.budgets import Budget, Per, Spent
from labpool.domain.planner import plan
from labpool.domain.world import World

from tests.domain.lab import at, catalogue, follow, inventory, lease, ticket

DAY = Budget(10, Per.DAY)
MIDNIGHT = datetime(2026, 3, 3, tzinfo=timezone.utc)


def lab(budget: Budget = DAY) -> World:
    """Two GPU-hours are spent, and lin holds two GPUs from nine to eleven."""
    rules = catalogue({"vision": (4, 0), "speech": (4, 0)})
    vision = replace(rules.projects["vision"], budget=budget)
    rules = replace(rules, projects={**rules.projects, "vision": vision})
    spent = Spent().with_run(DAY, "vision", rules.rate("gpu", 1), at(-2), at(0))
    return World(inventory({"n1": 2}), rules, (), (lease("train", "n1-0", "n1-1", until=2),), spent=spent)


def stand(world: World, hours: float) -> BudgetStand:
    (found,) = budget_stands(world, at(hours))
    return found


def test_project_without_a_budget_has_none_to_show():
    world = lab()
    assert [found.project for found in budget_stands(world, at(0))] == ["vision"]
    assert budget_stands(replace(world, catalogue=catalogue()), at(0)) == ()


def test_a_server_uses_up_what_was_set_aside_for_it():
    world = lab()
    assert [(stand(world, hour).used, stand(world, hour).set_aside) for hour in (0, 1, 2)] == [(2, 4), (4, 2), (6, 0)]
    assert {stand(world, hour).left for hour in (0, 1, 2, 2.1)} == {4}  # never past its end
    assert stand(world, 0).renewed == MIDNIGHT


def test_nothing_is_set_aside_once_all_servers_have_ended():
    for microseconds in range(200):  # hours that no binary fraction is
        used = DAY, "vision", 3000, at(0), at(1) + timedelta(microseconds=microseconds)
        assert stand(replace(lab(), leases=(), spent=Spent().with_run(*used)), 2).set_aside == 0


def test_a_planned_start_is_set_aside():
    world = replace(lab(), tickets=(ticket("next", hours=3),))
    world = follow(world, plan(world, at(0)), at(0))
    assert (stand(world, 0).used, stand(world, 0).set_aside, stand(world, 0).left) == (2, 7, 1)


def test_what_lies_in_the_next_period_is_none_of_this_one():
    world = replace(lab(), tickets=(ticket("next", hours=8),))
    world = follow(world, plan(world, at(0)), at(0))
    assert [slot.start for slot in world.slots] == [at(11)]  # four hours today, four tomorrow
    assert stand(world, 0).left == 0
    found = stand(replace(world, leases=()), 15)
    assert (found.used, found.left, found.renewed) == (0, 2, MIDNIGHT.replace(day=4))


def test_a_lowered_budget_is_overdrawn():
    found = stand(lab(Budget(5, Per.DAY)), 1)
    assert (found.used, found.set_aside, found.left) == (4, 2, -1)
    assert budget_sentence(found) == "0 of 5 GPU-hours left today"


def test_what_is_left_is_told_for_the_period():
    per_month = stand(lab(Budget(200, Per.MONTH)), 0)
    assert budget_sentence(replace(per_month, left=187.999)) == "187.99 of 200 GPU-hours left this month"
