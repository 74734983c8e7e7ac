"""What a waiting researcher is told: the place, the reason, the words."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from labpool.domain.explain import place, promise, why_waiting
from labpool.domain.inventory import Inventory
from labpool.domain.planner import plan
from labpool.domain.plans import BreakCause, BrokenPromise
from labpool.domain.reasons import WaitReason
from labpool.domain.sentences import Sentence, broken_sentence, ended_sentence, wait_sentence
from labpool.domain.tickets import EndReason, State, Ticket
from labpool.domain.world import World

from tests.domain.lab import at, catalogue, end, follow, inventory, lease, ticket

TWO = inventory({"n1": 2})
NOW = at(0.5)


def waiting_in(world: World, now: datetime = NOW) -> World:
    return follow(world, plan(world, now), now)


def sentence(world: World, name: str, now: datetime = NOW) -> Sentence:
    waiting = next(t for t in world.tickets if t.id == name)
    wait = why_waiting(waiting, world, now)
    assert wait
    return wait_sentence(waiting, wait, world.catalogue, timezone.utc, now)


def reason(world: World, waiting: Ticket, now: datetime = NOW) -> WaitReason | None:
    wait = why_waiting(waiting, world, now)
    return wait.reason if wait else None


def test_all_devices_in_use_names_the_leases_and_the_next_end():
    held = (lease("a", "n1-0", until=5), lease("b", "n1-1", until=2))
    world = waiting_in(World(TWO, catalogue(), (ticket("train"),), held))
    wait = why_waiting(world.tickets[0], world, NOW)
    assert wait
    assert (wait.reason, wait.missing, [h.until for h in wait.holders]) == (WaitReason.DEVICES, 1, [at(2), at(5)])
    assert sentence(world, "train").message == (
        "You wait because both GPUs (Demo GPU) are in use. The next lease ends at 11:00 UTC at the latest."
    )


def test_a_promise_is_shown_while_the_plan_keeps_it():
    held = (lease("a", "n1-0", until=5), lease("b", "n1-1", until=2))
    world = waiting_in(World(TWO, catalogue(), (ticket("train"),), held))
    (slot,) = world.slots
    told = world.tickets[0]
    assert told.starts_by is not None
    assert promise(told, world) == told.starts_by
    late = replace(slot, start=told.starts_by + world.catalogue.queue.planned_lateness)
    assert promise(told, replace(world, slots=(late,))) == told.starts_by
    too_late = replace(late, start=late.start + timedelta(seconds=1))
    assert promise(told, replace(world, slots=(too_late,))) is None
    assert promise(told, replace(world, slots=())) is None


def test_a_free_device_that_is_too_few_is_said_to_be_too_few():
    held = (lease("a", "n1-0", until=5),)
    world = waiting_in(World(TWO, catalogue(), (ticket("pair", gpus=2),), held))
    assert sentence(world, "pair").message == (
        "You wait because 1 of 2 GPUs (Demo GPU) is in use, and you need 2 on one machine. "
        "The next lease ends at 14:00 UTC at the latest."
    )


def test_a_lease_past_its_end_is_said_to_be_over():
    held = (lease("a", "n1-0", until=0.1), lease("b", "n1-1", until=2))
    world = World(TWO, catalogue(), (ticket("train"),), held)
    assert "One of the leases is over" in sentence(world, "train").message


def test_own_servers_among_the_holders_are_named_with_what_helps():
    held = (lease("train", "n1-0", user="ada", until=2), lease("b", "n1-1", until=3))
    world = waiting_in(World(TWO, catalogue(), (ticket("next"),), held))
    said = sentence(world, "next")
    assert 'your server "train" holds 1 until 11:00 UTC' in said.message
    assert said.remedy == "Stop a server of yours to start sooner."


def test_nobody_elses_name_is_said():
    held = (lease("secret", "n1-0", user="lin"), lease("b", "n1-1", user="lin"))
    world = waiting_in(World(TWO, catalogue(), (ticket("next"),), held))
    said = sentence(world, "next")
    assert "lin" not in said.message
    assert "secret" not in said.message


def test_the_own_limit_names_the_own_servers():
    held = (replace(lease("x", "n1-0", user="ada", until=3), name=""),)
    world = waiting_in(World(TWO, catalogue(gpus=1), (ticket("next"),), held))
    assert reason(world, world.tickets[0]) is WaitReason.OWN_LIMIT
    assert sentence(world, "next") == Sentence(
        "You wait because you may hold 1 GPU at once: your default server holds 1 until 12:00 UTC.",
        "Stop one of your servers, or ask for fewer GPUs, to start sooner.",
    )


def test_the_own_limit_is_named_before_the_projects_and_the_devices():
    held = (lease("a", "n1-0", user="ada"), lease("b", "n1-1", user="ada"))
    world = waiting_in(World(TWO, catalogue({"vision": (1, 1)}, gpus=2), (ticket("next"),), held))
    assert reason(world, world.tickets[0]) is WaitReason.OWN_LIMIT


def test_the_projects_limit_is_named_where_devices_are_free():
    held = (lease("a", "n1-0", until=3),)
    world = waiting_in(World(TWO, catalogue({"vision": (1, 0)}), (ticket("next"),), held))
    assert reason(world, world.tickets[0]) is WaitReason.PROJECT_LIMIT
    assert sentence(world, "next").message == (
        "You wait because Vision group may hold 1 GPU (Demo GPU) at once and holds 1. "
        "The next lease ends at 12:00 UTC at the latest."
    )


def test_a_free_device_that_is_promised_to_others_says_so_and_that_less_time_helps():
    held = (lease("a", "n1-0", until=2),)
    world = World(TWO, catalogue(), (ticket("pair", gpus=2), ticket("long", user="eve", hours=8, asked=0.1)), held)
    world = waiting_in(world)
    assert sentence(world, "long") == Sentence(
        "You wait because what is free now is promised to others from 11:01 UTC on, and your 8 h would run into that.",
        "Ask for less time to start sooner.",
    )


def test_an_own_planned_server_that_uses_up_the_limit_is_named_with_its_hours():
    held = (lease("a", "n1-0", until=2),)
    tickets = (ticket("pair", gpus=2), ticket("long", hours=8, asked=0.1))
    world = waiting_in(World(TWO, catalogue(gpus=2), tickets, held))
    said = sentence(world, "long")
    assert reason(world, world.tickets[1]) is WaitReason.OWN_LIMIT
    assert 'your server "pair" is planned for 2 from 11:01 UTC to 13:01 UTC' in said.message
    assert "less time" in said.remedy


def test_a_projects_planned_servers_that_use_up_its_share_are_named_as_such():
    four = inventory({"n1": 4})
    held = (lease("a", "n1-0", until=2), lease("b", "n1-1", project="speech", until=2))
    tickets = (ticket("pair", gpus=2), ticket("long", user="eve", hours=8, asked=0.1))
    world = waiting_in(World(four, catalogue({"vision": (2, 0), "speech": (2, 0)}), tickets, held))
    assert reason(world, world.tickets[1]) is WaitReason.PROJECT_LIMIT
    assert "Vision group may hold 2 GPUs (Demo GPU) at once" in sentence(world, "long").message


def test_an_old_lease_of_the_same_server_is_named_first():
    held = (replace(lease("old", "n1-0", user="ada", until=2), name="train"),)
    world = waiting_in(World(TWO, catalogue(gpus=1), (ticket("train"),), held))
    assert reason(world, world.tickets[0]) is WaitReason.SAME_SERVER
    said = sentence(world, "train").message
    assert 'your server "train" still holds GPUs from its last start, until 11:00 UTC' in said


def test_a_ticket_that_was_not_claimed_is_asked_to_say_ready():
    unready = replace(ticket("away"), ready=False)
    world = World(TWO, catalogue(), (unready,))
    assert reason(world, unready) is WaitReason.NOT_READY
    assert '"ready"' in sentence(world, "away").remedy


def test_devices_that_are_out_of_order_are_said_to_be():
    world = World(inventory({"n1": 1}, withheld=["n1-0"]), catalogue(), (ticket("train"),))
    assert reason(world, world.tickets[0]) is WaitReason.DEVICES
    assert "out of order" in sentence(world, "train").message


def test_an_empty_pool_is_explained_too():
    world = World(Inventory(), catalogue(), (ticket("train"),))
    assert "out of order" in sentence(world, "train").message


def test_a_ticket_that_could_start_or_that_runs_does_not_wait():
    could, runs = ticket("train"), replace(ticket("busy"), state=State.RUNNING)
    world = World(TWO, catalogue(), (could, runs))
    assert why_waiting(could, world, NOW) is None
    assert why_waiting(runs, world, NOW) is None


def test_places_count_from_one_in_the_line_for_the_same_flavour():
    other = replace(ticket("slice"), flavour="slice")
    world = World(TWO, catalogue(), (ticket("b", asked=0.2), other, ticket("a", asked=0.1)))
    assert [place(t, world) for t in world.tickets] == [2, 1, 1]


def test_who_leaves_lets_those_behind_move_up_and_nobody_ahead_move():
    world = World(TWO, catalogue(), tuple(ticket(n, asked=i) for i, n in enumerate("abc")))
    after = end(world, "b")
    assert [place(t, after) for t in after.tickets] == [1, 2]


def test_a_ticket_that_is_not_in_line_has_no_place():
    unready, runs = replace(ticket("away"), ready=False), replace(ticket("busy"), state=State.RUNNING)
    world = World(TWO, catalogue(), (unready, runs))
    assert place(unready, world) is None
    assert place(runs, world) is None


def test_saying_ready_takes_the_last_place_and_pushes_nobody():
    unready = replace(ticket("away"), ready=False, unclaimed=1, changed_at=at(0.5))
    others = (ticket("a", asked=0.1), ticket("b", asked=0.2))
    world = World(TWO, catalogue(), (unready.said_ready(at(1)), *others))
    assert [place(t, world) for t in world.tickets] == [3, 1, 2]


@pytest.mark.parametrize("why", EndReason)
def test_every_end_has_words(why: EndReason):
    assert ended_sentence(why).endswith(".")


@pytest.mark.parametrize("cause", BreakCause)
def test_every_broken_promise_says_what_was_told_what_happened_and_what_is_planned(cause: BreakCause):
    said = broken_sentence(BrokenPromise("t", at(1), at(2), cause), timezone.utc, NOW)
    assert "10:00 UTC" in said
    assert "Now planned: 11:00 UTC" in said


def test_a_broken_promise_without_a_new_time_says_so():
    broken = BrokenPromise("t", at(1), None, BreakCause.DEVICE_UNAVAILABLE)
    assert "No new time can be planned yet" in broken_sentence(broken, timezone.utc, NOW)


def test_times_are_said_in_the_readers_zone():
    world = waiting_in(World(inventory({"n1": 1}), catalogue(), (ticket("train"),), (lease("a", "n1-0", until=2),)))
    wait = why_waiting(world.tickets[0], world, NOW)
    assert wait
    said = wait_sentence(world.tickets[0], wait, world.catalogue, timezone(timedelta(hours=1)), NOW)
    assert "ends at 12:00 at the latest" in said.message
