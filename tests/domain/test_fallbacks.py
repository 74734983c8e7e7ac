"""Who started early on borrowed devices keeps the promised place. Hours count from nine; the margin is a minute.

Ada has Vision's own two GPUs until 13:00, Lin two of Speech's since 10:00 and her promise of 13:01 behind Ada.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from labpool.domain.breaking import newly_broken
from labpool.domain.budgets import Budget, Per
from labpool.domain.extending import longest_extension
from labpool.domain.fallbacks import has_fallback
from labpool.domain.inventory import Condition
from labpool.domain.leases import Slot
from labpool.domain.planner import Planner, plan
from labpool.domain.plans import BreakCause, BrokenPromise, Plan
from labpool.domain.reasons import ExtensionReason, NotExtended
from labpool.domain.reservations import Reservation
from labpool.domain.sentences import broken_sentence
from labpool.domain.tickets import Event, Priority, State, Ticket
from labpool.domain.world import World

from tests.domain.lab import HOUR, MINUTE, add, at, catalogue, end, follow, inventory, lease, running, ticket

SHARES = {"vision": (2, 2), "speech": (2, 2)}
MARGIN = MINUTE
PROMISE = at(4) + MARGIN


def lin_started_early(nodes: dict[str, int] | None = None, hours: float = 4, planner: Planner | None = None) -> World:
    """The lab at ten, just after Sam of Speech has stopped and Lin has started."""
    last = "n2-0", "n2-1"
    if not nodes:
        nodes, last = {"n1": 4}, ("n1-2", "n1-3")
    ada, sam = lease("ada", "n1-0", "n1-1", user="ada", until=4), lease("sam", *last, user="sam", project="speech")
    waiting = ticket("lin", user="lin", gpus=2, hours=hours, asked=0.1)
    world = World(inventory(nodes), catalogue(SHARES), (running(ada), running(sam), waiting), (ada, sam))
    decide = (planner or Planner()).plan
    world = follow(world, decide(world, at(0.1)), at(0.1))
    world = end(world, "sam")
    return follow(world, decide(world, at(1)), at(1))


def the(world: World, name: str) -> Ticket:
    return next(ticket for ticket in world.tickets if ticket.id == name)


def changed(world: World, ticket: Ticket) -> World:
    return replace(world, tickets=tuple(ticket if each.id == ticket.id else each for each in world.tickets))


def used(world: World) -> World:
    return changed(world, the(world, "lin").after(Event.FIRST_USE, at(1)))


def back_in_line(world: World, hours: float) -> World:
    """Lin's lease went back, or was lost, so many hours after nine."""
    lin = the(world, "lin")
    ran = timedelta(hours=hours - 1)
    again = lin.requeued(at(hours), lin.duration - ran, has_fallback(lin, world.slots, world.catalogue, at(hours)))
    return replace(add(end(world, "lin"), again), looked_at=at(hours))


def slot_of(found: Plan | World, name: str = "lin") -> Slot | None:
    return next((slot for slot in found.slots if slot.ticket == name), None)


@pytest.mark.parametrize("nodes", [{"n1": 4}, {"n1": 2, "n2": 2}], ids=["one machine", "two machines"])
def test_whose_borrowed_devices_go_back_starts_by_the_promise(nodes: dict[str, int]):
    planner = Planner()
    world = used(lin_started_early(nodes if len(nodes) > 1 else None, planner=planner))
    assert the(world, "lin").state is State.RUNNING
    assert slot_of(world) == Slot("lin", "n1", PROMISE, PROMISE + 4 * HOUR)
    world = add(world, ticket("bert", user="bert", gpus=2, hours=8, asked=1.6, project="speech"))
    world = follow(world, planner.plan(world, at(1.6)), at(1.6))
    asked_long_enough = at(1.6) + timedelta(minutes=5)
    decided = planner.plan(world, asked_long_enough)
    assert [taken.ticket for taken in decided.taken] == ["lin"]
    world = follow(world, decided, asked_long_enough)
    world = back_in_line(world, 1.85)
    assert the(world, "lin").starts_by == PROMISE
    decided = planner.plan(world, at(1.85))
    assert decided.slots == plan(world, at(1.85)).slots
    assert slot_of(decided) == Slot("lin", "n1", PROMISE, PROMISE + 4 * HOUR - timedelta(hours=0.85))
    world = follow(world, decided, at(1.85))
    assert [grant.ticket for grant in planner.plan(end(world, "ada"), PROMISE).grants] == ["lin"]


def test_others_are_promised_only_what_is_left_if_it_falls_back():
    world = add(lin_started_early(), ticket("mia", user="mia", gpus=2, hours=4, asked=1.5))
    assert plan(world, at(1.5)).promises == {"mia": PROMISE + 4 * HOUR + MARGIN}


def test_nothing_is_kept_for_who_starts_on_the_projects_own():
    ada = lease("ada", "n1-0", "n1-1", user="ada", until=4)
    waiting = ticket("lin", user="lin", gpus=2, asked=0.1)
    world = World(inventory({"n1": 2}), catalogue(SHARES), (running(ada), waiting), (ada,))
    world = end(follow(world, plan(world, at(0.1)), at(0.1)), "ada")
    decided = plan(world, at(1))
    assert ([grant.ticket for grant in decided.grants], decided.slots) == (["lin"], ())


def test_place_is_given_up_at_its_time_and_when_nothing_is_borrowed_any_more():
    world = lin_started_early()
    assert plan(world, at(2)).looks_at == PROMISE
    assert plan(world, PROMISE).slots == ()
    assert plan(end(world, "ada"), at(2)).slots == ()


def test_place_is_given_up_with_the_ticket_and_where_it_is_not_to_start_again_or_got_more_hours():
    world, planner = lin_started_early(), Planner()
    assert slot_of(planner.plan(world, at(1))) is not None
    lin = the(world, "lin")
    for other in (replace(lin, starts_again=False), replace(lin, duration=lin.duration + HOUR)):
        assert plan(changed(world, other), at(2)).slots == ()
        assert planner.plan(changed(world, other), at(2)).slots == ()
    assert planner.plan(end(world, "lin"), at(2)).slots == ()


def test_nothing_is_taken_back_that_is_its_holders_own_before_the_grace_is_over():
    world = used(lin_started_early())
    asks = ticket("bert", user="bert", gpus=2, hours=1, asked=3.8, project="speech")
    world = follow(add(world, asks), plan(add(world, asks), at(3.8)), at(3.8))
    late = at(3.8) + timedelta(minutes=5)
    assert plan(world, late).taken == ()


def test_who_loses_the_machine_falls_back_on_the_place_on_another():
    world = lin_started_early({"n1": 2, "n2": 2})
    failed = replace(world, inventory=inventory({"n1": 2, "n2": 2}, n2=Condition.FAILED))
    assert slot_of(plan(failed, at(2))) == slot_of(world)
    again = back_in_line(failed, 2)
    decided = plan(again, at(2))
    assert (slot_of(decided) or world.slots[0]).start == PROMISE
    assert not decided.broken


def test_higher_class_takes_the_place():
    world, planner = lin_started_early(), Planner()
    batch = replace(the(world, "lin"), priority=Priority.BATCH)
    world = changed(world, batch)
    assert slot_of(planner.plan(world, at(1))) is not None
    asks = ticket("mia", user="mia", gpus=2, hours=4, asked=2)
    for decided in (plan(add(world, asks), at(2)), planner.plan(add(world, asks), at(2))):
        assert slot_of(decided) is None
        assert decided.broken == (BrokenPromise("lin", PROMISE, None, BreakCause.HIGHER_CLASS, runs=True),)


def test_budget_of_the_next_period_is_set_aside_for_it():
    rules = catalogue(SHARES)
    vision = replace(rules.projects["vision"], budget=Budget(12.0, Per.DAY))
    rules = replace(rules, projects=rules.projects | {"vision": vision})
    world = lin_started_early()
    old = lease("old", "n1-0", "n1-1", user="old", until=15)
    cheap = tuple(replace(each, charge=0.1) for each in (old, *world.leases) if each.ticket != "ada")
    tomorrow = Slot("lin", "n1", at(15.5), at(19.5))  # the next day in UTC, for eight GPU-hours
    world = replace(end(world, "ada"), catalogue=rules, slots=(tomorrow,), leases=cheap)
    world = add(world, running(old), ticket("mia", user="mia", gpus=1, hours=8, asked=2))
    decided = plan(world, at(2))
    assert slot_of(decided) == tomorrow
    assert decided.promises == {"mia": at(35)}  # from then on no more than four hours lie in that day


def test_budget_of_a_lease_that_is_lost_counts_once():
    world = lin_started_early({"n1": 2, "n2": 2})
    vision = replace(world.catalogue.projects["vision"], budget=Budget(17.0, Per.DAY))
    rules = replace(world.catalogue, projects=world.catalogue.projects | {"vision": vision})
    failed = replace(world, catalogue=rules, inventory=inventory({"n1": 2, "n2": 2}, n2=Condition.FAILED))
    assert slot_of(plan(failed, at(2))) == slot_of(world)


def test_who_is_being_taken_back_keeps_the_place_whatever_becomes_free():
    world, planner = used(lin_started_early()), Planner()
    world = add(world, ticket("bert", user="bert", gpus=2, hours=1, asked=1.6, project="speech"))
    world = follow(world, planner.plan(world, at(1.6)), at(1.6))
    late = at(1.6) + timedelta(minutes=5)
    world = follow(world, planner.plan(world, late), late)
    assert the(world, "lin").state is State.RECLAIMING
    world = add(end(world, "ada"), ticket("mia", user="mia", gpus=2, hours=4, asked=1.75))
    decided = planner.plan(world, at(1.75))
    assert slot_of(decided) == slot_of(world)
    world = back_in_line(follow(world, decided, at(1.75)), 1.85)
    assert the(world, "lin").starts_by == PROMISE
    assert not planner.plan(world, at(1.85)).broken


def test_reservation_that_ends_before_the_place_and_a_silent_machine_give_nothing_up():
    world = lin_started_early()
    kept = slot_of(world)
    soon_over = Reservation("r1", at(1), at(1.5), "vision", "gpu", 2)
    assert slot_of(plan(replace(world, reservations=(soon_over,)), at(1.2))) == kept
    world = lin_started_early({"n1": 2, "n2": 2})
    moved = tuple(replace(slot, node="n2") for slot in world.slots)
    silent = replace(world, slots=moved, inventory=inventory({"n1": 2, "n2": 2}, n1=Condition.SILENT))
    assert slot_of(plan(silent, at(1.2))) == moved[0]


def test_earlier_lease_of_the_project_is_not_extended_over_the_place():
    world = used(lin_started_early())
    found = longest_extension(the(world, "ada"), world, at(2))
    assert isinstance(found, NotExtended)
    assert found.reason in {ExtensionReason.PROMISED, ExtensionReason.PROJECT_LIMIT}


def test_own_place_keeps_nobody_from_more_hours():
    world = used(lin_started_early({"n1": 2, "n2": 2}))
    assert longest_extension(the(world, "lin"), world, at(2)) == 8 * HOUR - 3 * HOUR


def test_place_on_another_machine_is_looked_for_by_others_once_it_is_given_up():
    planner = Planner()
    nodes = {"n1": 4, "n2": 2}
    shares = SHARES | {"third": (4, 0)}
    world = lin_started_early({"n1": 2, "n2": 2})
    world = replace(world, inventory=inventory(nodes), catalogue=catalogue(shares))
    world = add(world, ticket("zoe", user="zoe", gpus=4, hours=1, asked=1.1, project="third"))
    world = follow(world, planner.plan(world, at(1.1)), at(1.1))
    assert slot_of(world, "zoe") == Slot("zoe", "n1", PROMISE + 4 * HOUR + MARGIN, PROMISE + 5 * HOUR + MARGIN)
    stopped = end(world, "lin")
    assert slot_of(planner.plan(stopped, at(1.5)), "zoe") == slot_of(plan(stopped, at(1.5)), "zoe")


def test_nothing_is_kept_for_who_may_not_start_again():
    world = lin_started_early()
    vision = replace(world.catalogue.projects["vision"], everyone=False)
    without = replace(world.catalogue, projects=world.catalogue.projects | {"vision": vision})
    assert plan(replace(world, catalogue=without), at(2)).slots == ()


def test_act_that_takes_the_place_counts_as_a_broken_promise():
    world = lin_started_early({"n1": 2, "n2": 2})
    drained = replace(world, inventory=inventory({"n1": 2, "n2": 2}, n1=Condition.DRAINED))
    (broken,) = newly_broken(world, drained, at(2))
    assert broken == BrokenPromise("lin", PROMISE, None, BreakCause.NODE_UNAVAILABLE, runs=True)
    assert "your server runs on" in broken_sentence(broken, timezone.utc, at(2))


def test_place_that_a_machine_elsewhere_leaves_no_room_for_is_lost_to_that_machine():
    reserved = Reservation("r1", PROMISE, PROMISE + 4 * HOUR, "speech", "gpu", 2)
    world = replace(lin_started_early({"n1": 2, "n2": 2}), reservations=(reserved,))
    assert slot_of(plan(world, at(2))) is not None
    drained = replace(world, inventory=inventory({"n1": 2, "n2": 2}, n2=Condition.DRAINED))
    (broken,) = newly_broken(world, drained, at(2))
    assert (broken.ticket, broken.runs, broken.cause) == ("lin", True, BreakCause.NODE_UNAVAILABLE)


def test_who_starts_early_is_told_once_that_the_place_to_fall_back_on_came_too_late():
    ada = lease("ada", "n1-0", "n1-1", user="ada", until=4)
    sam = lease("sam", "n2-0", "n2-1", user="sam", project="speech", until=4.5)
    bert, lin = (ticket(name, user=name, gpus=2, asked=0.1 * n) for n, name in enumerate(("bert", "lin"), start=1))
    world = World(inventory({"n1": 2, "n2": 2}), catalogue(SHARES), (running(ada), running(sam), bert, lin), (ada, sam))
    world = follow(world, plan(world, at(0.2)), at(0.2))
    promised, back = PROMISE + 2 * HOUR + MARGIN, at(4.6)
    assert the(world, "lin").starts_by == promised
    world = end(end(world, "ada"), "sam")
    decided = plan(world, back)
    assert {grant.ticket for grant in decided.grants} == {"bert", "lin"}
    later = back + 2 * HOUR + MARGIN
    assert slot_of(decided) == Slot("lin", "n1", later, later + 2 * HOUR)
    cause = BreakCause.POOL_OUTAGE
    assert BrokenPromise("bert", PROMISE, back, cause) in decided.broken
    assert BrokenPromise("lin", promised, later, cause, runs=True) in decided.broken
    assert not plan(follow(world, decided, back), back + MINUTE).broken
