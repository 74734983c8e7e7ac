"""What the form says before anybody asks, and that asking then gives just that."""

from dataclasses import replace

from labpool.domain.availability import Availability, Stand, availability, stand
from labpool.domain.budgets import Budget, Per, Spent
from labpool.domain.planner import plan
from labpool.domain.verdicts import Verdicts
from labpool.domain.world import World

from tests.domain.lab import HOUR, MINUTE, add, at, catalogue, follow, inventory, lease, starts, ticket

TWO = inventory({"n1": 2})
NOW = at(0.5)


def meets(world: World, profile: str, user: str = "eve") -> Availability:
    rules = world.catalogue
    return availability(world, rules.projects["vision"], rules.profiles[profile], user, frozenset(), NOW)


def test_free_devices_are_those_nobody_holds():
    world = World(TWO, catalogue(), (), (lease("a", "n1-0"),))
    assert stand(world, "gpu", NOW) == Stand(total=2, free=1, next_free=NOW)


def test_with_all_leased_the_next_planned_end_is_named():
    world = World(TWO, catalogue(), (), (lease("a", "n1-0", until=2), lease("b", "n1-1", until=3)))
    assert stand(world, "gpu", NOW) == Stand(total=2, free=0, next_free=at(2) + MINUTE)


def test_an_end_that_is_promised_to_a_waiting_ticket_is_not_the_next_free_one():
    world = World(inventory({"n1": 1}), catalogue(), (ticket("train"),), (lease("a", "n1-0", until=2),))
    world = follow(world, plan(world, NOW), NOW)
    assert stand(world, "gpu", NOW).next_free == at(4) + 2 * MINUTE


def test_a_withheld_device_is_there_and_not_free():
    assert stand(World(inventory({"n1": 1}, withheld=["n1-0"]), catalogue()), "gpu", NOW) == Stand(1, 0, None)


def test_a_profile_that_fits_starts_now():
    world = World(TWO, catalogue(), (), (lease("a", "n1-0"),))
    assert meets(world, "gpu-1") == Availability(True, NOW, 8 * HOUR)


def test_a_profile_that_must_wait_names_its_start():
    world = World(TWO, catalogue(), (), (lease("a", "n1-0", until=2),))
    assert meets(world, "gpu-2") == Availability(False, at(2) + MINUTE)


def test_a_profile_that_must_wait_for_long_hours_tells_for_how_long_it_would_start_now():
    world = World(TWO, catalogue(), (ticket("pair", gpus=2),), (lease("a", "n1-0", until=2),))
    world = follow(world, plan(world, NOW), NOW)
    assert meets(world, "gpu-1") == Availability(False, at(4) + 2 * MINUTE, 1.5 * HOUR)
    assert meets(world, "gpu-2").longest_now == 0 * HOUR


def test_the_own_limit_counts():
    world = World(TWO, catalogue(gpus=1), (), (lease("a", "n1-0", user="eve", until=2),))
    assert meets(world, "gpu-1") == Availability(False, at(2) + MINUTE)
    assert meets(world, "gpu-1", user="lin") == Availability(True, NOW, 8 * HOUR)


def test_the_budget_of_the_project_counts():
    def left(budget: float, spent: float = 0) -> Availability:
        rules = catalogue()
        vision = replace(rules.projects["vision"], budget=Budget(budget, Per.DAY))
        used = Spent().with_run(Budget(budget, Per.DAY), "vision", rules.rate("gpu", 1), at(-spent), at(0))
        return meets(World(TWO, replace(rules, projects={"vision": vision}), spent=used), "gpu-1")

    assert left(8) == Availability(True, NOW, 8 * HOUR)
    assert left(9, spent=2) == Availability(False, at(8), 7 * HOUR)  # an hour of the eight lies in the next day
    assert left(9, spent=9) == Availability(False, at(15))
    assert left(3) == Availability(True, NOW, 3 * HOUR)  # more is refused
    assert left(0.01) == Availability(False, None)


def test_what_others_do_not_lend_is_not_there():
    rules = catalogue({"vision": (0, 2), "speech": (1, 0)})
    speech = replace(rules.projects["speech"], lend={"gpu": 0})
    world = World(TWO, replace(rules, projects={**rules.projects, "speech": speech}))
    assert meets(world, "gpu-1") == Availability(True, NOW, 8 * HOUR)
    assert meets(world, "gpu-2") == Availability(False, None)


def test_a_profile_that_can_never_start_has_no_time():
    assert meets(World(TWO, catalogue()), "gpu-3") == Availability(False, None)


def test_a_profile_without_devices_always_starts_now():
    assert meets(World(TWO, catalogue(), (), (lease("a", "n1-0", "n1-1"),)), "cpu") == Availability(
        True, NOW, 12 * HOUR
    )


def test_the_form_promises_what_asking_then_gives():
    held = (lease("a", "n1-0", until=2), lease("b", "n1-1", until=3))
    world = World(TWO, catalogue(), (ticket("pair", gpus=2),), held)
    world = follow(world, plan(world, NOW), NOW)
    shown = meets(world, "gpu-1").next_start
    asked = replace(ticket("mine", user="eve", asked=0.5), duration=world.catalogue.profiles["gpu-1"].longest)
    assert starts(plan(add(world, asked), NOW))["mine"] == shown


def test_behind_others_of_the_project_in_the_engines_own_line_no_start_can_be_planned():
    rules = catalogue({"vision": (4, 4), "speech": (4, 4)})
    asked = replace(ticket("theirs", user="lin", gpus=4), project="speech")
    world = World(inventory({"n1": 4}), rules, (asked,), verdicts=Verdicts())
    assert meets(world, "gpu-1").starts_now
    behind = replace(world, tickets=(replace(asked, project="vision"),))
    assert meets(behind, "gpu-1") == Availability(False, None)
