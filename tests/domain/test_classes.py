"""What the priority classes do to each other. Hours count from nine o'clock; the turnover margin is one minute."""

from dataclasses import replace

import pytest
from labpool.domain.planner import Planner, plan
from labpool.domain.plans import BreakCause, BrokenPromise
from labpool.domain.tickets import Priority
from labpool.domain.world import World

from tests.domain.lab import MINUTE, add, at, catalogue, end, follow, inventory, lease, starts, ticket

ONE = inventory({"n1": 1})
TWO = inventory({"n1": 2})
MARGIN = MINUTE


def test_a_higher_class_takes_places_of_a_lower_one_and_says_so():
    batch = replace(ticket("batch", hours=4), priority=Priority.BATCH)
    world = World(ONE, catalogue(), (batch,), (lease("busy", "n1-0", until=2),))
    world = follow(world, plan(world, at(0)), at(0))
    assert {slot.ticket: slot.start for slot in world.slots} == {"batch": at(2) + MARGIN}
    world = add(world, ticket("lab", user="eve", hours=1, asked=0.1))
    decided = plan(world, at(0.1))
    assert starts(decided) == {"lab": at(2) + MARGIN, "batch": at(3) + 2 * MARGIN}
    assert decided.broken == (BrokenPromise("batch", at(2) + MARGIN, at(3) + 2 * MARGIN, BreakCause.HIGHER_CLASS),)
    assert decided.promises == {"lab": at(2) + MARGIN}


def test_a_place_taken_by_a_higher_class_breaks_the_promise_though_the_next_one_is_only_a_minute_later():
    batch = replace(ticket("batch"), priority=Priority.BATCH)
    held = (lease("busy", "n1-0", until=2), lease("busier", "n1-1", until=2 + 1 / 60))
    world = World(TWO, catalogue(), (batch,), held)
    world = follow(world, plan(world, at(0)), at(0))
    decided = plan(add(world, ticket("lab", user="eve", asked=0.1)), at(0.1))
    promised = at(2) + MARGIN
    assert decided.broken == (BrokenPromise("batch", promised, promised + MINUTE, BreakCause.HIGHER_CLASS),)


def test_a_planner_that_remembers_says_so_too():
    planner = Planner()
    batch = replace(ticket("batch", hours=4), priority=Priority.BATCH)
    world = World(ONE, catalogue(), (batch,), (lease("busy", "n1-0", until=2),))
    world = follow(world, planner.plan(world, at(0)), at(0))
    world = add(world, ticket("lab", user="eve", hours=1, asked=0.1))
    (broken,) = planner.plan(world, at(0.1)).broken
    assert (broken.ticket, broken.cause) == ("batch", BreakCause.HIGHER_CLASS)


def test_a_place_that_only_an_undone_decision_took_away_is_there_again():
    planner = Planner()
    batch = replace(ticket("batch", gpus=2), priority=Priority.BATCH)
    rules = catalogue({"vision": (2, 0), "speech": (1, 1)})
    world = World(TWO, rules, (batch,), (lease("busy", "n1-0", until=2, project="speech"),))
    world = follow(world, planner.plan(world, at(0)), at(0))
    fewer = catalogue({"vision": (1, 1), "speech": (2, 0)})  # the place stands, and no new one would be given
    lowered = replace(world, catalogue=fewer)
    lowered = follow(lowered, planner.plan(lowered, at(0.1)), at(0.1))
    undone = planner.plan(add(lowered, ticket("lab", user="eve", hours=8, asked=0.2, project="speech")), at(0.2))
    assert ([grant.ticket for grant in undone.grants], undone.slots) == (["lab"], ())
    assert starts(planner.plan(lowered, at(0.2))) == {"batch": at(2) + MARGIN}


def test_a_place_that_was_left_only_in_an_undone_decision_is_there_again():
    planner, waiting = Planner(), ticket("train", gpus=2)
    rules = catalogue({"vision": (2, 0), "speech": (1, 1)})
    world = World(TWO, rules, (waiting,), (lease("busy", "n1-0", until=2, project="speech"),))
    world = follow(world, planner.plan(world, at(0)), at(0))
    fewer = catalogue({"vision": (1, 1), "speech": (2, 0)})  # the place stands, and no new one would be given
    lowered = replace(world, catalogue=fewer)
    lowered = follow(lowered, planner.plan(lowered, at(0.1)), at(0.1))
    (ready,) = lowered.tickets
    assert planner.plan(replace(lowered, tickets=(replace(ready, ready=False),)), at(0.2)).slots == ()
    decided = planner.plan(lowered, at(0.2))
    assert (starts(decided), decided.broken) == ({"train": at(2) + MARGIN}, ())


def test_of_what_is_free_the_higher_class_takes_first_and_scavengers_last():
    classes = {"scavenger": Priority.SCAVENGER, "batch": Priority.BATCH, "lab": Priority.INTERACTIVE}
    tickets = tuple(
        replace(ticket(name, user=name, hours=hours), priority=priority)
        for hours, (name, priority) in enumerate(classes.items(), start=1)
    )
    world = World(ONE, catalogue(), tickets, (lease("busy", "n1-0", until=9),))
    world = follow(world, plan(world, at(0)), at(0))
    assert {slot.ticket for slot in world.slots} == {"batch", "lab"}
    order = []
    for _ in classes:
        world = end(world, *(held.ticket for held in world.leases))
        world = follow(world, plan(world, at(0)), at(0))
        order += [held.ticket for held in world.leases]
    assert order == ["lab", "batch", "scavenger"]


@pytest.mark.parametrize("names", [("a", "b", "c"), ("c", "b", "a")])
def test_of_places_for_one_time_the_higher_class_then_the_first_in_line_starts_first(names: tuple[str, ...]):
    first, second, night = names
    asked = (ticket(first, user="eve", asked=0.1), ticket(second, user="mia", asked=0.2), ticket(night))
    tickets = (*asked[:2], replace(asked[2], priority=Priority.BATCH))
    devices = ("n1-0", "n1-1", "n1-2")
    world = World(inventory({"n1": 3}), catalogue(gpus=8), tickets, (lease("busy", *devices, until=5),))
    planner = Planner()
    world = follow(world, planner.plan(world, at(0.3)), at(0.3))
    assert set(starts(planner.plan(world, at(0.4))).values()) == {at(5) + MARGIN}
    decided = planner.plan(end(world, "busy"), at(5) + MARGIN)
    assert [(grant.ticket, grant.devices) for grant in decided.grants] == [
        (first, ("n1-0",)),
        (second, ("n1-1",)),
        (night, ("n1-2",)),
    ]
