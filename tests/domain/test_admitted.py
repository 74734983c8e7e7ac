"""An engine with a queue of its own decides whose turn it is; the pool's own rules decide whether it starts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from labpool.domain.admitted import plan_admitted
from labpool.domain.budgets import Budget, Per
from labpool.domain.ends import Requeue, Stop, due
from labpool.domain.explain import place, why_waiting
from labpool.domain.inventory import Condition
from labpool.domain.plans import Grant, Taken
from labpool.domain.reasons import WaitReason
from labpool.domain.tickets import Event, State
from labpool.domain.verdicts import Verdict, Verdicts
from labpool.domain.world import World

from tests.domain.lab import HOUR, MINUTE, NINE, at, catalogue, follow, inventory, lease, running, ticket

FOUR = inventory({"n1": 2, "n2": 2})


def decide(world: World, *verdicts: Verdict, heard: bool = True):
    told = Verdicts({verdict.ticket: verdict for verdict in verdicts}, heard=heard)
    return plan_admitted(replace(world, verdicts=told), told, NINE)


def test_who_has_the_turn_starts_on_the_chosen_machine():
    world = World(FOUR, catalogue(), (ticket("first"), ticket("train", asked=1)))
    decided = decide(world, Verdict("first"), Verdict("train", node="n2"))
    assert decided.grants == (Grant("train", ("n2-0",), NINE, at(2)),)
    assert decided.slots == ()
    assert not decided.promises


def test_nobody_starts_or_goes_before_the_engine_was_heard():
    held = lease("held", "n1-0")
    world = World(FOUR, catalogue(), (running(held), ticket("train")), (held,))
    assert decide(world, Verdict("train", node="n2"), heard=False).grants == ()
    assert decide(world, heard=False).taken == ()


def test_turn_of_an_earlier_attempt_is_none():
    world = World(FOUR, catalogue(), (replace(ticket("train"), attempt=2),))
    assert decide(world, Verdict("train", attempt=1, node="n2")).grants == ()
    assert len(decide(world, Verdict("train", attempt=2, node="n2")).grants) == 1


def test_turn_from_before_one_that_was_missed_is_none():
    missed = ticket("train").after(Event.GRANT, NINE).after(Event.UNCLAIMED, NINE).said_ready(NINE)
    world = World(FOUR, catalogue(), (missed,))
    assert decide(world, Verdict("train", node="n2")).grants == ()
    assert len(decide(world, Verdict("train", unclaimed=1, node="n2")).grants) == 1


def test_turn_that_is_asked_back_before_the_start_is_none():
    world = World(FOUR, catalogue(), (ticket("train"),))
    assert decide(world, Verdict("train", node="n2", goes_back=True)).grants == ()


def test_of_two_turns_over_the_users_limit_the_first_in_line_starts():
    world = World(FOUR, catalogue(gpus=2), (ticket("late", gpus=2, asked=1), ticket("early", gpus=2)))
    decided = decide(world, Verdict("late", node="n1"), Verdict("early", node="n2"))
    assert [grant.ticket for grant in decided.grants] == ["early"]


def test_turn_waits_until_the_machine_has_let_go_of_the_devices():
    held = lease("held", "n2-0", "n2-1")
    world = World(FOUR, catalogue(), (running(held), ticket("train")), (held,))
    stands, turn = Verdict("held", node="n2"), Verdict("train", node="n2")
    assert decide(world, stands, turn).grants == ()
    assert [each.devices for each in decide(replace(world, leases=()), stands, turn).grants] == [("n2-0",)]


def test_turn_on_a_machine_out_of_service_waits():
    world = World(inventory({"n1": 2}, n1=Condition.DRAINED), catalogue(), (ticket("train"),))
    assert decide(world, Verdict("train", node="n1")).grants == ()


def test_no_start_beyond_the_budget_and_the_pool_looks_again_when_it_begins_anew():
    rules = catalogue()
    poor = replace(rules, projects={"vision": replace(rules.projects["vision"], budget=Budget(1, Per.DAY))})
    world = World(FOUR, poor, (ticket("train", hours=2),))
    decided = decide(world, Verdict("train", node="n1"))
    assert decided.grants == ()
    assert decided.looks_at == at(14)  # an hour before midnight, so that each day pays for one


def test_lease_that_the_engine_wants_back_ends_after_the_grace():
    held = lease("held", "n1-0", until=8)
    world = World(FOUR, catalogue(), (running(held), ticket("owner", project="vision")), (held,))
    decided = decide(world, Verdict("held", node="n1", goes_back=True, taken_for="owner"), Verdict("owner"))
    assert decided.taken == (Taken("held", NINE + world.catalogue.queue.grace, "owner"),)
    after = follow(world, decided, NINE)
    assert next(each for each in after.tickets if each.id == "held").state is State.RECLAIMING
    assert decide(after, Verdict("held", node="n1", goes_back=True), Verdict("owner")).taken == ()


def test_taking_back_never_lengthens_a_lease():
    held = lease("held", "n1-0", until=0.05)
    world = World(FOUR, catalogue(), (running(held),), (held,))
    assert [each.ends for each in decide(world, Verdict("held", node="n1", goes_back=True)).taken] == [held.ends]


def test_lease_that_nobody_has_used_yet_goes_back_sooner():
    held = lease("held", "n1-0", until=8)
    granted = ticket("held", user="lin", hours=8).after(Event.GRANT, NINE)
    decided = decide(World(FOUR, catalogue(), (granted,), (held,)), Verdict("held", node="n1", goes_back=True))
    assert [each.ends for each in decided.taken] == [NINE + MINUTE]
    after = follow(World(FOUR, catalogue(), (granted,), (held,)), decided, NINE)
    ((back,), (short,), rules) = after.tickets, after.leases, after.catalogue.queue
    assert due(short, back, rules, NINE + MINUTE, alive=True) == Stop()
    assert due(short, back, rules, NINE + MINUTE, alive=False) == Requeue(8 * HOUR)


def test_lease_taken_back_unused_stands_in_line_again_for_all_its_hours_whatever_its_user_wants_of_others():
    held = lease("held", "n1-0", until=8)
    granted = replace(ticket("held", user="lin", hours=8), starts_again=False).after(Event.GRANT, NINE)
    world = World(FOUR, catalogue(), (granted,), (held,))
    after = follow(world, decide(world, Verdict("held", node="n1", goes_back=True)), NINE)
    ((back,), (short,), rules) = after.tickets, after.leases, after.catalogue.queue
    assert due(short, back, rules, at(1), alive=False) == Requeue(8 * HOUR)


def test_lease_stands_where_the_engine_knows_nothing_of_it_and_goes_back_where_it_was_moved():
    held = lease("held", "n1-0", until=8)
    world = World(FOUR, catalogue(), (running(held),), (held,))
    assert decide(world).taken == ()
    assert decide(world, Verdict("held", place=1)).taken == ()  # not chosen again yet
    assert [each.taken_for for each in decide(world, Verdict("held", node="n2")).taken] == [""]
    assert decide(world, Verdict("held", node="n1")).taken == ()


def test_lease_that_stops_anyway_is_not_taken_back():
    held = replace(lease("held", "n1-0", until=8), stopping_since=NINE)
    assert decide(World(FOUR, catalogue(), (running(held),), (held,))).taken == ()


def test_place_is_that_in_the_projects_line_and_limits_are_named_first():
    verdict = Verdict("train", place=3)
    world = World(FOUR, catalogue(), (ticket("train"),), verdicts=Verdicts({"train": verdict}))
    assert place(world.tickets[0], world) == 3
    wait = why_waiting(world.tickets[0], world, NINE)
    assert wait is not None
    assert (wait.reason, wait.ahead) == (WaitReason.BEHIND_OTHERS, 2)
    held = lease("mine", "n1-0", "n1-1", user="ada")
    limited = replace(world, catalogue=catalogue(gpus=2), leases=(held,))
    wait = why_waiting(world.tickets[0], limited, NINE)
    assert wait is not None
    assert wait.reason is WaitReason.OWN_LIMIT


def test_no_room_on_one_machine_is_named_only_where_enough_are_free_on_several():
    world = World(FOUR, catalogue(), (ticket("train", gpus=2),), (lease("one", "n1-0"), lease("two", "n2-0")))
    told = replace(world, verdicts=Verdicts({"train": Verdict("train", place=1, why=WaitReason.NO_ROOM)}))
    wait = why_waiting(told.tickets[0], told, NINE)
    assert wait is not None
    assert wait.reason is WaitReason.NO_ROOM
    fuller = replace(told, leases=(*told.leases, lease("three", "n2-1")))
    wait = why_waiting(told.tickets[0], fuller, NINE)
    assert wait is not None
    assert wait.reason is WaitReason.DEVICES


def test_taken_back_ticket_has_no_turn_from_before():
    held = lease("held", "n1-0", until=8)
    back = running(held).after(Event.RECLAIM, NINE).requeued(NINE, 7 * HOUR)
    world = World(FOUR, catalogue(), (back,))
    assert decide(world, Verdict("held", attempt=1, node="n1", goes_back=True)).grants == ()
    assert decide(world, Verdict("held", attempt=1, node="n1")).grants == ()
    (grant,) = decide(world, Verdict("held", attempt=2, node="n1")).grants
    assert grant.ends - grant.starts == timedelta(hours=7)
