"""What becomes of promises when something goes wrong. Hours count from nine; the turnover margin is one minute."""

from dataclasses import replace
from datetime import timedelta

from labpool.domain.catalogue import Limits, QueueRules, UserLimit
from labpool.domain.planner import plan
from labpool.domain.plans import BreakCause, BrokenPromise, Grant
from labpool.domain.world import World

from tests.domain.lab import HOUR, MINUTE, at, catalogue, end, follow, inventory, lease, starts, ticket

ONE = inventory({"n1": 1})
TWO = inventory({"n1": 2})
MARGIN = MINUTE


def test_a_grant_a_little_late_keeps_the_promise_and_pushes_nobody():
    tickets = (ticket("first"), ticket("second", user="eve", asked=0.1))
    world = World(ONE, catalogue(), tickets, (lease("busy", "n1-0", until=1),))
    world = end(follow(world, plan(world, at(0)), at(0)), "busy")
    late = at(1) + MARGIN + timedelta(seconds=50)
    decided = plan(world, late)
    assert decided.grants == (Grant("first", ("n1-0",), late, late + 2 * HOUR),)
    assert not decided.broken
    assert starts(decided)["second"] == at(3) + 2 * MARGIN


def test_without_a_turnover_margin_a_start_some_seconds_late_keeps_the_promise():
    held = (lease("busy", "n1-0", until=1),)
    world = World(ONE, catalogue(queue=QueueRules(turnover=timedelta(0))), (ticket("train"),), held)
    world = end(follow(world, plan(world, at(0)), at(0)), "busy")
    decided = plan(world, at(1) + timedelta(seconds=3))
    assert starts(decided) == {"train": at(1) + timedelta(seconds=3)}
    assert not decided.broken


def test_a_pool_that_was_down_grants_late_and_names_the_outage():
    world = World(ONE, catalogue(), (ticket("train"),), (lease("busy", "n1-0", until=1),))
    world = end(follow(world, plan(world, at(0)), at(0)), "busy")
    decided = plan(world, at(5))
    assert starts(decided) == {"train": at(5)}
    assert decided.broken == (BrokenPromise("train", at(1) + MARGIN, at(5), BreakCause.POOL_OUTAGE),)


def chain(*names: str) -> World:
    """Tickets that wait for one device one after another, their slots stored."""
    tickets = tuple(ticket(name, user=name, asked=0.01 * i) for i, name in enumerate(names))
    world = World(ONE, catalogue(), tickets, (lease("busy", "n1-0", until=1),))
    return follow(world, plan(world, at(0.1)), at(0.1))


def test_an_outage_moves_the_line_back_as_a_whole_and_keeps_its_order():
    decided = plan(end(chain("a", "b", "c"), "busy"), at(1.5))
    assert starts(decided) == {"a": at(1.5), "b": at(3.5) + MARGIN, "c": at(5.5) + 2 * MARGIN}
    assert [(report.ticket, report.cause) for report in decided.broken] == [
        (name, BreakCause.POOL_OUTAGE) for name in "abc"
    ]


def test_a_lease_that_would_not_end_moves_the_line_back_as_a_whole_and_keeps_its_order():
    world = chain("a", "b")
    world = follow(world, plan(world, at(1.1)), at(1.1))
    decided = plan(end(world, "busy"), at(1.2))
    assert starts(decided) == {"a": at(1.2), "b": at(3.2) + MARGIN}
    assert {report.cause for report in decided.broken} <= {BreakCause.OVERRUN}


def test_a_lost_device_delays_only_who_asked_last_for_what_its_node_can_no_longer_hold():
    held = (lease("x", "n1-0", until=1), lease("y", "n1-1", until=1))
    tickets = tuple(ticket(name, user=name, asked=0.01 * i) for i, name in enumerate("abcd"))
    world = World(TWO, catalogue(), tickets, held)
    world = follow(world, plan(world, at(0.1)), at(0.1))
    before = starts(plan(world, at(0.1)))
    decided = plan(replace(world, inventory=inventory({"n1": 2}, withheld=["n1-0"])), at(0.5))
    moved = {name for name, start in starts(decided).items() if start > before[name]}
    assert moved == {report.ticket for report in decided.broken} == {"b", "d"}


def test_a_slot_whose_device_is_still_held_waits_within_the_margin():
    world = World(ONE, catalogue(), (ticket("train"),), (lease("busy", "n1-0", until=1),))
    world = follow(world, plan(world, at(0)), at(0))
    due = at(1) + MARGIN
    decided = plan(world, due + timedelta(seconds=10))
    assert not decided.grants
    assert starts(decided) == {"train": due}
    assert not decided.broken


def test_a_slot_whose_device_is_still_held_takes_another_that_is_free():
    held = (lease("a", "n1-0", until=1), lease("b", "n1-1", until=5))
    world = World(TWO, catalogue(), (ticket("train"),), held)
    world = follow(world, plan(world, at(0)), at(0))
    decided = plan(end(world, "b"), at(1) + MARGIN)
    assert decided.grants[0].devices == ("n1-1",)


def test_a_device_held_beyond_the_margin_breaks_the_promise_and_names_the_overrun():
    world = World(ONE, catalogue(), (ticket("train"),), (lease("busy", "n1-0", until=1),))
    world = follow(world, plan(world, at(0)), at(0))
    promised = at(1) + MARGIN
    world = follow(world, plan(world, promised), promised)
    late = promised + 2 * MARGIN
    broken = plan(world, late).broken[0]
    assert (broken.ticket, broken.promised, broken.cause) == ("train", promised, BreakCause.OVERRUN)
    assert broken.planned
    assert broken.planned > late


def test_a_broken_promise_is_reported_once():
    world = World(ONE, catalogue(), (ticket("train"),), (lease("busy", "n1-0", until=1),))
    world = follow(world, plan(world, at(0)), at(0))
    world = follow(world, plan(world, at(3)), at(3))
    assert not plan(world, at(3)).broken
    assert not plan(world, at(6)).broken


def test_a_lost_device_breaks_nothing_where_its_node_has_another_in_time():
    held = (lease("a", "n1-0", until=2), lease("b", "n1-1", until=2))
    world = World(TWO, catalogue(), (ticket("train"),), held)
    world = follow(world, plan(world, at(0)), at(0))
    decided = plan(replace(world, inventory=inventory({"n1": 2}, withheld=["n1-0"])), at(1))
    assert starts(decided) == {"train": at(2) + MARGIN}
    assert not decided.broken


def test_a_lost_device_that_nothing_replaces_leaves_the_promise_broken_without_a_time():
    world = World(ONE, catalogue(), (ticket("train"),), (lease("busy", "n1-0"),))
    world = follow(world, plan(world, at(0)), at(0))
    decided = plan(replace(world, inventory=inventory({})), at(1))
    assert decided.broken == (BrokenPromise("train", at(2) + MARGIN, None, BreakCause.DEVICE_UNAVAILABLE),)


def test_a_device_that_comes_back_is_planned_on_again_and_the_number_stays():
    world = World(ONE, catalogue(), (ticket("train"),), (lease("busy", "n1-0"),))
    world = follow(world, plan(world, at(0)), at(0))
    gone = replace(world, inventory=inventory({}))
    back = replace(follow(gone, plan(gone, at(1)), at(1)), inventory=ONE)
    decided = plan(back, at(1.5))
    assert starts(decided) == {"train": at(2) + MARGIN}
    assert not decided.promises


def test_a_lowered_limit_ends_nothing_and_breaks_the_later_promise_by_name():
    held = (lease("a", "n1-0", until=1), lease("b", "n1-1", until=1))
    tickets = (ticket("first"), ticket("second", asked=0.1))
    world = World(TWO, catalogue(gpus=2), tickets, held)
    world = follow(world, plan(world, at(0.1)), at(0.1))
    lowered = replace(world.catalogue, limits=Limits(UserLimit(1, 3, 8)))
    decided = plan(replace(world, catalogue=lowered), at(0.5))
    assert starts(decided) == {"first": at(1) + MARGIN, "second": at(3) + 2 * MARGIN}
    assert [(report.ticket, report.cause) for report in decided.broken] == [("second", BreakCause.ADMIN_CHANGE)]


def test_a_clock_set_back_moves_no_promise():
    world = World(ONE, catalogue(), (ticket("train"),), (lease("busy", "n1-0"),))
    world = follow(world, plan(world, at(0)), at(0))
    decided = plan(world, at(-5))
    assert starts(decided) == {"train": at(2) + MARGIN}
    assert not decided.broken
