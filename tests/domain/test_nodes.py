"""What becomes of plans and leases when a machine is drained, fails or falls silent. Hours count from nine."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import product

import pytest
from labpool.domain.availability import stand
from labpool.domain.catalogue import QueueRules
from labpool.domain.ends import Action, End, NoteAbsent, NotePresent, Nothing, Requeue, due
from labpool.domain.explain import why_waiting
from labpool.domain.inventory import Condition, Inventory, Node
from labpool.domain.leases import Lease
from labpool.domain.planner import Planner, plan
from labpool.domain.plans import BreakCause, Plan
from labpool.domain.reasons import WaitReason
from labpool.domain.sentences import condition_sentence, lost_sentence, wait_sentence
from labpool.domain.tickets import HOLDING, EndReason, Event, State, Ticket
from labpool.domain.world import World

from tests.domain.lab import HOUR, MINUTE, add, at, catalogue, end, follow, inventory, lease, starts, ticket

DRAINED, FAILED, SILENT = Condition.DRAINED, Condition.FAILED, Condition.SILENT
OUT = [DRAINED, FAILED, SILENT]
MARGIN = MINUTE
TWO = {"n1": 2, "n2": 2}
RULES = QueueRules()
HELD = lease("train", "n1-0", user="ada", until=4)
RUNNING = replace(ticket("train", hours=4), state=State.RUNNING)


def causes(decided: Plan) -> list[tuple[str, BreakCause]]:
    return [(report.ticket, report.cause) for report in decided.broken]


def with_nodes(world: World, devices: Inventory, now: datetime) -> Plan:
    """The decision after machines changed, the same with and without a memory of the one before."""
    remembering = Planner()
    remembering.plan(world, now)
    changed = replace(world, inventory=devices)
    decided = remembering.plan(changed, now)
    assert decided == plan(changed, now)
    return decided


@pytest.mark.parametrize("condition", OUT)
def test_nothing_is_granted_or_planned_on_a_machine_out_of_service(condition: Condition):
    tickets = tuple(ticket(name, user=name, gpus=2, asked=0.1 * i) for i, name in enumerate("abc"))
    decided = plan(World(inventory(TWO, n1=condition), catalogue(), tickets), at(1))
    assert {grant.devices for grant in decided.grants} == {("n2-0", "n2-1")}
    assert {slot.node for slot in decided.slots} == {"n2"}
    assert stand(World(inventory(TWO, n1=condition), catalogue()), "gpu", at(1)).free == 2


@pytest.mark.parametrize("condition", OUT)
def test_a_place_on_a_machine_that_leaves_service_is_planned_anew_elsewhere(condition: Condition):
    held = (lease("x", "n1-0", "n1-1", until=1), lease("y", "n2-0", "n2-1", until=3))
    world = World(inventory(TWO), catalogue(gpus=8), (ticket("train"),), held)
    world = follow(world, plan(world, at(0)), at(0))
    decided = with_nodes(world, inventory(TWO, n1=condition), at(0.5))
    assert starts(decided) == {"train": at(3) + MARGIN}
    assert causes(decided) == [("train", BreakCause.NODE_UNAVAILABLE)]


def test_a_promise_stands_where_another_machine_is_free_in_time():
    held = (lease("x", "n1-0", "n1-1", until=2), lease("y", "n2-0", "n2-1", until=1))
    world = World(inventory(TWO), catalogue(gpus=8), (ticket("pair", gpus=2),), held)
    world = follow(world, plan(world, at(0)), at(0))
    assert [slot.node for slot in world.slots] == ["n2"]
    decided = with_nodes(end(world, "x"), inventory(TWO, n2=DRAINED), at(0.5))
    assert starts(decided) == {"pair": at(0.5)}
    assert not decided.broken


def test_a_lease_on_a_drained_machine_counts_as_ever():
    held = (replace(HELD, devices=("n1-0", "n1-1")),)
    world = World(inventory(TWO, n1=DRAINED), catalogue(gpus=2), (RUNNING, ticket("next")), held)
    decided = plan(world, at(1))
    assert starts(decided) == {"next": at(4) + MARGIN}


@pytest.mark.parametrize("condition", [FAILED, SILENT])
def test_a_lease_on_a_lost_machine_counts_against_nobody(condition: Condition):
    held = (replace(HELD, devices=("n1-0", "n1-1")),)
    tickets = (RUNNING, ticket("next", gpus=2))
    world = World(inventory(TWO, n1=condition), catalogue({"vision": (2, 0)}, gpus=2), tickets, held)
    assert starts(plan(world, at(1))) == {"next": at(1)}
    assert why_waiting(tickets[1], world, at(1)) is None


def test_a_machine_that_is_back_is_granted_again_and_the_number_stays():
    held = (lease("x", "n1-0", "n1-1", until=1),)
    world = World(inventory({"n1": 2}), catalogue(), (ticket("train"),), held)
    world = follow(world, plan(world, at(0)), at(0))
    drained = replace(world, inventory=inventory({"n1": 2}, n1=DRAINED))
    told = plan(drained, at(0.5))
    assert [(report.planned, report.cause) for report in told.broken] == [(None, BreakCause.NODE_UNAVAILABLE)]
    back = replace(end(follow(drained, told, at(0.5)), "x"), inventory=inventory({"n1": 2}))
    decided = with_nodes(back, inventory({"n1": 2}), at(2))
    assert starts(decided) == {"train": at(2)}
    assert not decided.promises


def test_a_silent_machine_that_comes_back_in_use_breaks_a_promise_by_its_name():
    held = (replace(HELD, devices=("n1-0", "n1-1"), ends=at(8)), lease("y", "n2-0", "n2-1", until=1))
    rules = catalogue({"vision": (2, 0), "speech": (2, 0)})
    silent = World(inventory(TWO, n1=SILENT), rules, (RUNNING, ticket("next", user="eve", gpus=2)), held)
    silent = replace(silent, leases=(held[0], replace(held[1], project="speech")))
    silent = follow(silent, plan(silent, at(0)), at(0))
    assert silent.tickets[1].starts_by == at(1) + MARGIN
    now = at(0) + 3 * MINUTE
    nodes = (Node("n1", 16, 64, since=now), Node("n2", 16, 64))
    decided = with_nodes(silent, replace(silent.inventory, nodes=nodes), now)
    assert causes(decided) == [("next", BreakCause.NODE_UNAVAILABLE)]
    assert starts(decided) == {"next": at(8) + MARGIN}


def step(
    condition: Condition,
    minutes: float,
    held: Lease = HELD,
    whose: Ticket = RUNNING,
    since: float | None = 60,
    alive: bool = False,
) -> Action:
    """What is due so many minutes after nine, the machine being out of service since some minutes after nine."""
    node = Node("n1", 16, 64, condition, None if since is None else at(since / 60))
    return due(held, whose, RULES, at(minutes / 60), alive, node)


def test_a_lease_on_a_failed_machine_goes_back_in_line_for_what_was_left_when_it_failed():
    assert step(FAILED, 90) == Requeue(3 * HOUR, at(1))
    assert step(FAILED, 90, alive=True) == Requeue(3 * HOUR, at(1))
    assert step(FAILED, 90, since=None) == Requeue(2.5 * HOUR, at(1.5))
    assert step(FAILED, 300) == Requeue(3 * HOUR, at(1))  # the pool was down when its end came
    assert step(FAILED, 90, replace(HELD, taken_unused=True)) == Requeue(4 * HOUR, at(0))


def test_a_lease_on_a_silent_machine_is_given_up_after_the_restart_time():
    assert step(SILENT, 62) == NoteAbsent()
    gone = replace(HELD, absent_since=at(1) + 2 * MINUTE)
    assert step(SILENT, 64, gone) == Nothing()
    assert step(SILENT, 65, gone) == Requeue(3 * HOUR, at(1))
    assert step(SILENT, 66, gone, since=None) == Nothing()
    assert step(SILENT, 67, gone, since=None) == Requeue(3 * HOUR - 2 * MINUTE, at(1) + 2 * MINUTE)


def test_a_silent_machine_that_answers_in_time_keeps_its_leases():
    gone = replace(HELD, absent_since=at(1))
    assert step(SILENT, 66, gone, alive=True) == NotePresent()
    assert due(gone, RUNNING, RULES, at(1.05), True) == NotePresent()
    granted = replace(RUNNING, state=State.GRANTED)
    assert due(gone, granted, RULES, at(1.05), True) == NotePresent()


def test_near_its_end_a_lease_on_a_silent_machine_waits_no_longer_than_to_its_end():
    late = replace(HELD, absent_since=at(3) + 57 * MINUTE)
    assert step(SILENT, 238, late, since=237) == Nothing()
    assert step(SILENT, 239, late, since=237) == End(EndReason.LOST, at(3) + 57 * MINUTE)  # next to nothing was left


def test_who_does_not_want_to_start_again_has_lost_the_server():
    assert step(FAILED, 90, whose=replace(RUNNING, starts_again=False)) == End(EndReason.LOST, at(1))


def test_what_nobody_has_used_yet_goes_back_with_all_its_hours_and_keeps_its_place():
    granted = replace(RUNNING, state=State.GRANTED, starts_again=False, starts_by=at(0))
    assert step(FAILED, 90, whose=granted) == Requeue(4 * HOUR, HELD.starts)
    assert step(SILENT, 61, whose=granted) == NoteAbsent()
    back = granted.requeued(at(1.5), 4 * HOUR)
    assert (back.state, back.ready, back.unclaimed, back.attempt) == (State.QUEUED, True, 0, 2)
    assert (back.in_line_since, back.starts_by) == (granted.requested_at, None)


def test_a_server_that_its_user_stopped_ends_as_stopped_also_on_a_lost_machine():
    stopping = replace(HELD, stopping_since=at(0.9))
    assert step(FAILED, 90, stopping, alive=True) == End(EndReason.STOPPED)


def test_what_is_being_taken_back_and_lost_lacks_all_that_it_did_not_run():
    taken = replace(HELD, ends=at(1.5))
    assert step(FAILED, 70, taken, replace(RUNNING, state=State.RECLAIMING)) == Requeue(3 * HOUR, at(1))


def test_whatever_is_due_on_a_lost_machine_is_a_step_that_the_table_allows():
    owners = [replace(RUNNING, state=state, starts_again=again) for state in HOLDING for again in (True, False)]
    for condition, whose, minutes in product((FAILED, SILENT), owners, range(60, 260, 3)):
        match step(condition, minutes, whose=whose):
            case End(reason):
                whose.after(Event.END, at(2), reason)
            case Requeue(left):
                assert whose.requeued(at(2), left).duration >= RULES.shortest


def test_nothing_is_due_because_a_machine_is_drained():
    drained = inventory(TWO, n1=DRAINED)
    assert drained.lost_node(HELD.devices) is None
    assert due(HELD, RUNNING, RULES, at(1), True, drained.lost_node(HELD.devices)) == Nothing()


def test_who_waits_for_a_machine_out_of_service_is_told_so_whoever_else_holds_gpus():
    waiting = ticket("pair", gpus=2)
    world = World(inventory({"n1": 2, "n2": 1}, n1=DRAINED), catalogue(), (waiting,), (lease("x", "n2-0"),))
    wait = why_waiting(waiting, world, at(1))
    assert wait
    assert (wait.reason, wait.holders, wait.missing) == (WaitReason.DEVICES, (), 1)
    said = wait_sentence(waiting, wait, world.catalogue, timezone.utc, at(1))
    assert "out of service" in said.message
    assert "1 can be used" in said.message


def test_a_lease_on_a_drained_machine_is_not_named_as_what_is_waited_for():
    held = (lease("x", "n1-0", "n1-1", until=1), lease("y", "n2-0", "n2-1", until=3))
    waiting = ticket("train")
    world = World(inventory(TWO, n1=DRAINED), catalogue(gpus=8), (waiting,), held)
    wait = why_waiting(waiting, world, at(0.5))
    assert wait
    assert ([holder.until for holder in wait.holders], wait.most) == ([at(3)], 2)


def test_a_requeued_ticket_starts_elsewhere_ahead_of_who_asked_later():
    back = RUNNING.requeued(at(1), 3 * HOUR)
    later = ticket("later", user="eve", gpus=2, asked=0.5)
    world = World(inventory(TWO, n1=FAILED), catalogue(), (), (lease("x", "n2-0", until=2),))
    decided = plan(add(world, back, later), at(1))
    assert [grant.ticket for grant in decided.grants] == ["train"]


@pytest.mark.parametrize("condition", Condition)
def test_every_condition_is_one_word_for_programs_and_a_sentence_for_people(condition: Condition):
    assert condition.value.isalpha()
    assert condition_sentence(condition).startswith("This machine is ")


def test_who_lost_a_machine_is_told_what_is_left_and_what_is_not():
    said = lost_sentence(timedelta(hours=3))
    assert "in line again for 3 h" in said
    assert "files stay" in said
