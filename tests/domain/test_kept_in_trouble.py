"""What is kept while starts come late, machines are closed or fail, and budgets are nearly used up."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from labpool.domain.budgets import Budget, Per, Spent
from labpool.domain.catalogue import Catalogue, Flavour
from labpool.domain.explain import why_waiting
from labpool.domain.extending import NotExtended, extend
from labpool.domain.inventory import Condition
from labpool.domain.leases import Lease
from labpool.domain.planner import Planner, plan
from labpool.domain.plans import BreakCause, Plan
from labpool.domain.reservations import Reservation
from labpool.domain.reserving import consequences
from labpool.domain.sentences import wait_sentence
from labpool.domain.simulation.replay import NeverStarted, replay
from labpool.domain.simulation.trace import Arrival
from labpool.domain.tickets import Priority
from labpool.domain.world import World

from tests.domain.lab import HOUR, MINUTE, NINE, add, at, catalogue, end, follow, inventory, lease, starts, ticket
from tests.domain.test_extending import running

FOUR = inventory({"n1": 4})
TWO_AND_TWO = inventory({"n1": 2, "n2": 2})
MIDNIGHT = datetime(2026, 3, 3, tzinfo=timezone.utc)


def rules(shares: dict[str, tuple[int, int]], **changes: dict[str, Any]) -> Catalogue:
    known = catalogue(shares, gpus=9)
    changed = {name: replace(known.projects[name], **values) for name, values in changes.items()}
    return replace(known, projects={**known.projects, **changed})


def test_who_uses_a_reservation_to_its_end_may_start_a_little_late():
    course = Reservation("course", at(1), at(3), "speech", "gpu", 2)
    asks = ticket("course", gpus=2, hours=2, project="speech")
    world = World(FOUR, rules({"vision": (2, 0), "speech": (0, 0)}), (asks,), reservations=(course,))
    world = follow(world, plan(world, at(0)), at(0))
    assert world.tickets[0].starts_by == at(1)
    decided = plan(world, at(1) + timedelta(seconds=5))
    assert ([grant.ticket for grant in decided.grants], decided.broken) == (["course"], ())


def test_a_late_run_that_is_over_breaks_no_promise_of_the_next_day():
    day = Budget(10, Per.DAY)
    known = rules({"vision": (8, 0), "speech": (1, 0)}, vision={"budget": day})
    used = Spent({("vision", MIDNIGHT - 24 * HOUR): Budget(8, Per.DAY).work})
    busy = Lease("x", "x", "x", "speech", "gpu", ("n2-0",), NINE, MIDNIGHT + 2 * HOUR)
    waiting = (ticket("late", user="a", gpus=4, hours=1), ticket("full", user="b", hours=8, asked=0.01))
    world = World(inventory({"n1": 4, "n2": 1}), known, (running(busy), *waiting), (busy,), spent=used)
    world = follow(world, plan(world, at(0)), at(0))
    planned = {slot.ticket: slot.start for slot in world.slots}
    assert planned == {"late": MIDNIGHT - HOUR / 2, "full": MIDNIGHT + 31 * MINUTE}
    world = follow(world, plan(world, planned["late"] + 50 * MINUTE / 60), planned["late"] + 50 * MINUTE / 60)
    held = next(each for each in world.leases if each.ticket == "late")
    over = replace(end(world, "late"), spent=used.with_run(day, "vision", 4000, held.starts, held.ends))
    assert plan(over, held.ends).broken == ()


def closed_half() -> World:
    known = rules({"vision": (2, 2), "speech": (2, 2)}, vision={"lend": {"gpu": 0}}, speech={"lend": {"gpu": 0}})
    waiting = (ticket("v", hours=1), ticket("s", user="b", project="speech", hours=1))
    return World(TWO_AND_TWO, known, waiting, reservations=(Reservation("fans", at(0), at(8), node="n2"),))


def test_where_half_is_closed_the_other_half_is_in_use():
    assert starts(plan(closed_half(), at(0))) == {"v": at(0), "s": at(0)}


def test_where_machines_fail_the_first_reservation_is_kept():
    both = tuple(Reservation(name, at(0), at(8), name, "gpu", 2) for name in ("speech", "vision"))
    waiting = (ticket("v", hours=1), ticket("s", user="b", project="speech", hours=1))
    known = rules({"vision": (0, 0), "speech": (0, 0)})
    hardware = inventory({"n1": 2, "n2": 2}, n2=Condition.FAILED)
    assert starts(plan(World(hardware, known, waiting, reservations=both), at(0)))["s"] == at(0)


def test_an_extension_past_a_reservations_end_leaves_promises_inside_the_projects_own():
    more = Reservation("more", at(1), at(3.5), "vision", "gpu", 1)
    held = (
        lease("mine", "n1-0", until=3),
        *(lease(f"o{i}", f"n1-{i}", user=f"o{i}", project="speech", until=1.5) for i in (1, 2, 3)),
    )
    known = rules({"vision": (1, 1), "speech": (3, 2)})
    world = World(FOUR, known, (*map(running, held), ticket("promised", user="b", hours=4)), held, reservations=(more,))
    world = follow(world, plan(world, at(0)), at(0))
    assert world.tickets[-1].starts_by == at(1.5) + MINUTE
    assert isinstance(extend(world.tickets[0], world, at(0.5), 2 * HOUR), NotExtended)


def test_consequences_count_what_is_reserved_already_and_what_the_project_runs_itself():
    there = Reservation("there", at(1), at(3), "speech", "gpu", 2, "n2")
    world = World(TWO_AND_TWO, rules({"vision": (2, 2), "speech": (2, 2)}), reservations=(there,))
    assert consequences(world, [Reservation("fans", at(1), at(3), node="n2")], at(0)).missing == 2
    held = (lease("a", "n1-0", "n1-1", project="speech", until=8), lease("v", "n2-0", "n2-1", until=8))
    full = World(TWO_AND_TWO, world.catalogue, (), held)
    assert consequences(full, [Reservation("course", at(1), at(3), "speech", "gpu", 2)], at(0)).missing == 2


def test_consequences_leave_out_what_is_broken_anyway():
    world = World(inventory({"n1": 1}), catalogue(), (ticket("train"),), (lease("busy", "n1-0"),))
    world = replace(follow(world, plan(world, at(0)), at(0)), catalogue=catalogue(gpus=0))
    assert len(plan(world, at(1)).broken) == 1
    assert consequences(world, [Reservation("later", at(20), at(21), "vision", "gpu", 1)], at(1)).harmless


def test_a_reservation_of_a_project_that_is_gone_keeps_nobody_waiting():
    gone = Reservation("gone", at(0), at(8), "chemistry", "gpu", 4)
    world = World(FOUR, catalogue(), (ticket("train"),), reservations=(gone,))
    assert [grant.ticket for grant in plan(world, at(0)).grants] == ["train"]


def test_a_replay_ends_where_budgets_are_renewed_and_nobody_ever_starts():
    known = rules({"vision": (4, 0)}, vision={"budget": Budget(100, Per.DAY)})
    with pytest.raises(NeverStarted):
        replay([Arrival(0, "u", "vision", 1, "gpu", 3600, 3600)], FOUR, known, lambda *_: Plan())


def test_a_flavour_that_costs_next_to_nothing_is_planned():
    known = rules({"vision": (4, 0)}, vision={"budget": Budget(20_000, Per.YEAR)})
    cheap = replace(known, flavours={"gpu": Flavour("gpu", "GPU", charge=0.001)})
    world = World(FOUR, cheap, (ticket("big", gpus=4), ticket("next", user="b", gpus=4)))
    assert starts(plan(world, at(0))) == {"big": at(0), "next": at(2) + MINUTE}


def test_a_higher_class_breaks_no_more_promises_where_a_budget_is_ample():
    low = tuple(
        replace(ticket(f"b{i}", user=f"b{i}", asked=i / 10), priority=Priority.BATCH, profile="batch") for i in range(3)
    )
    for ample in ({}, {"vision": {"budget": Budget(10_000, Per.DAY)}}):
        world = World(inventory({"n1": 1}), rules({"vision": (1, 0)}, **ample), low, (lease("busy", "n1-0"),))
        world = add(follow(world, plan(world, at(0.5)), at(0.5)), ticket("urgent", user="eve", asked=1))
        broken = plan(world, at(1)).broken
        assert [(each.ticket, each.cause) for each in broken] == [("b0", BreakCause.HIGHER_CLASS)], ample


def test_a_budget_that_is_given_back_is_noticed():
    known = rules({"vision": (4, 0)}, vision={"budget": Budget(10, Per.DAY)})
    used = Spent({("vision", MIDNIGHT - 24 * HOUR): Budget(9, Per.DAY).work})
    planner, world = Planner(), World(FOUR, known, (ticket("train", hours=8),), spent=used)
    world = follow(world, planner.plan(world, at(0)), at(0))
    assert [grant.ticket for grant in planner.plan(replace(world, spent=Spent()), at(1)).grants] == ["train"]


def told(world: World, name: str, now: datetime = NINE) -> str:
    waiting = next(each for each in world.tickets if each.id == name)
    wait = why_waiting(waiting, world, now)
    assert wait is not None
    return wait_sentence(waiting, wait, world.catalogue, timezone.utc, now).message


def test_who_waits_is_told_of_the_day_whose_budget_is_used_up():
    day = Budget(10, Per.DAY)
    used = Spent({("vision", MIDNIGHT): day.work})
    known = rules({"vision": (4, 0)}, vision={"budget": day})
    world = World(FOUR, known, (ticket("late", hours=6),), spent=used)
    now = MIDNIGHT - 2 * HOUR
    world = follow(world, plan(world, now), now)
    assert told(world, "late", now) == (
        "You wait because Vision group has 0 GPU-hours of the day from Tue 3 Mar, 00:00 UTC on left that are not set "
        "aside, and you ask for 6; its budget begins anew at Wed 4 Mar, 00:00 UTC."
    )


def test_who_needs_more_than_the_share_outside_a_reservation_is_told_so():
    course = Reservation("course", at(4), at(6), "speech", "gpu", 3)
    world = World(
        FOUR, rules({"speech": (2, 0)}), (ticket("big", gpus=3, hours=1, project="speech"),), reservations=(course,)
    )
    world = follow(world, plan(world, at(0)), at(0))
    assert world.tickets[0].starts_by == at(4)
    assert told(world, "big") == (
        "You wait because Speech group may hold 2 GPUs (Demo GPU) at once, fewer than you need. It may hold more only "
        "while they are reserved for it."
    )


def test_who_waits_for_a_closed_machine_is_not_sent_to_another_project():
    known = rules({"vision": (2, 2), "speech": (1, 0)}, speech={"lend": {"gpu": 0}})
    held = (lease("s", "n1-0", project="speech", until=9),)
    world = World(
        TWO_AND_TWO,
        known,
        (ticket("pair", gpus=2, hours=2),),
        held,
        reservations=(Reservation("fans", at(0), at(3), node="n2"),),
    )
    world = follow(world, plan(world, at(0)), at(0))
    assert told(world, "pair") == "You wait because the GPUs that are free are closed for maintenance, until 12:00 UTC."


def test_what_its_owner_uses_elsewhere_is_no_use_of_a_reserved_machine():
    known = rules({"vision": (2, 4), "speech": (2, 2), "audio": (2, 2)}, speech={"lend": {"gpu": 0}})
    held = (lease("own", "n1-0", "n1-1", project="audio", user="al", until=9),)
    demo = Reservation("demo", at(0), at(9), "audio", "gpu", 2, "n2")
    asks = (ticket("borrows", gpus=2, hours=8), ticket("own2", user="s", gpus=2, hours=1, project="speech", asked=0.1))
    world = World(inventory({"n1": 2, "n2": 2, "n3": 2}), known, asks, held, reservations=(demo,))
    assert [grant.ticket for grant in plan(world, at(0)).grants] == ["own2"]  # on the only ones that are left
    shown = add(world, ticket("demo", user="a", gpus=2, hours=8, project="audio", asked=0.2))
    grants = {grant.ticket: grant.devices for grant in plan(shown, at(0)).grants}
    assert grants == {"own2": ("n3-0", "n3-1"), "demo": ("n2-0", "n2-1")}
