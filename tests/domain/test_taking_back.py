"""What an owner gets back, from whom, and when not. Hours count from nine; the margin is a minute, the grace ten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.leases import Lease
from labpool.domain.planner import plan
from labpool.domain.plans import Plan, Taken
from labpool.domain.taking_back import cheapest
from labpool.domain.tickets import Priority, Ticket
from labpool.domain.world import World

from tests.domain.lab import HOUR, MINUTE, NINE, at, catalogue, follow, inventory, lease, running, starts, ticket

MARGIN, GRACE, WAIT = MINUTE, timedelta(minutes=10), timedelta(minutes=5)
TWO_EACH = {"vision": (2, 2), "speech": (2, 2)}


def pool(*held: Lease, nodes: dict[str, int] | None = None, waiting: tuple[Ticket, ...], **classes: Priority) -> World:
    tickets = [running(each, classes.get(each.ticket, Priority.INTERACTIVE)) for each in held]
    return World(inventory(nodes or {"n1": 4}), catalogue(TWO_EACH), (*tickets, *waiting), held)


def owner(gpus: int = 1, hours: float = 2, asked: float = 1) -> Ticket:
    return ticket("own", user="bert", gpus=gpus, hours=hours, asked=asked, project="speech")


def asked_at(world: World, hours: float, after: timedelta = WAIT) -> Plan:
    """The decision some time after the first one, which only gave places."""
    world = follow(world, plan(world, at(hours)), at(hours))
    return plan(world, at(hours) + after)


def all_of_vision(*until: float) -> list[Lease]:
    return [lease(f"v{i}", f"n1-{i}", user=f"v{i}", until=end) for i, end in enumerate(until)]


def test_an_owner_waits_five_minutes_and_then_gets_back_what_is_borrowed():
    world = pool(*all_of_vision(8, 8, 8, 8), waiting=(owner(),))
    world = follow(world, plan(world, at(1)), at(1))
    assert world.tickets[-1].starts_by == at(8) + MARGIN
    early = plan(world, at(1) + WAIT - MINUTE)
    assert (early.taken, early.looks_at) == ((), at(1) + WAIT)
    decided = plan(world, at(1) + WAIT)
    ends = at(1) + WAIT + GRACE
    assert [(taken.ends, taken.taken_for) for taken in decided.taken] == [(ends, "own")]
    assert starts(decided)["own"] == ends + MARGIN
    assert decided.promises == {}  # the first one stands


def test_what_is_inside_a_projects_own_devices_is_never_taken_back():
    old = [replace(each, starts=NINE - (4 - i) * HOUR) for i, each in enumerate(all_of_vision(8, 8, 8, 8))]
    decided = asked_at(pool(*old, waiting=(owner(gpus=2),)), 1)
    assert {taken.ticket for taken in decided.taken} == {"v2", "v3"}  # the youngest two of four


def test_nothing_is_taken_back_where_something_frees_within_the_grace():
    world = pool(*all_of_vision(8, 8, 8, 1.2), waiting=(owner(),))
    assert asked_at(world, 1).taken == ()


def test_nothing_is_taken_back_for_who_would_have_to_borrow():
    own = [lease(f"s{i}", f"n1-{i}", user=f"s{i}", until=8, project="speech") for i in (0, 1)]
    world = pool(*own, *[lease(f"v{i}", f"n1-{i}", user=f"v{i}", until=8) for i in (2, 3)], waiting=(owner(),))
    assert asked_at(world, 1).taken == ()


def test_a_borrowed_lease_is_left_alone_for_half_an_hour():
    held = [*all_of_vision(8, 8, 8), replace(all_of_vision(8, 8, 8, 8)[3], starts=at(0.9))]
    world = pool(*held, waiting=(owner(gpus=2),))
    decided = asked_at(world, 1)
    assert (decided.taken, decided.looks_at) == ((), at(1) + 2 * WAIT)
    assert {taken.ticket for taken in asked_at(world, 1, after=24 * MINUTE).taken} == {"v2", "v3"}


def test_what_nobody_has_used_yet_is_not_taken_back():
    world = pool(*all_of_vision(8, 8, 8, 8), waiting=(owner(),))
    unused = {f"v{i}": running(each).id for i, each in enumerate(world.leases)}
    tickets = tuple(replace(t, state=t.state.GRANTED) if t.id in unused else t for t in world.tickets)
    assert asked_at(replace(world, tickets=tickets), 1).taken == ()


def two_borrowed(first: str, later: str) -> list[Lease]:
    """Vision's own two, and two that it borrowed: the one long ago, the other a while later."""
    own = [replace(lease(f"own{i}", f"n1-{i}", user=f"own{i}", until=9), starts=at(-1)) for i in (0, 1)]
    young = replace(lease(later, "n1-3", user="d", until=9), starts=at(0.3))
    return [*own, lease(first, "n1-2", user="c", until=9), young]


def test_the_fewest_gpu_hours_are_lost():
    world = pool(*two_borrowed("long", "short"), waiting=(owner(),))
    assert [taken.ticket for taken in asked_at(world, 1).taken] == ["short"]


def test_a_lower_class_goes_first_whatever_it_costs():
    world = pool(*two_borrowed("batch", "lab"), waiting=(owner(),), batch=Priority.BATCH)
    assert [taken.ticket for taken in asked_at(world, 1).taken] == ["batch"]


def test_devices_are_taken_back_on_one_node_for_one_request():
    held = [
        lease("a1", "n1-0", user="a1", until=9),
        lease("a2", "n2-0", user="a2", until=9),
        replace(lease("b1", "n1-1", user="b1", until=9), starts=at(0.1)),
        replace(lease("b2", "n2-1", user="b2", until=9), starts=at(0.2)),
        replace(lease("c1", "n1-2", user="c1", until=9), starts=at(0.3)),
        replace(lease("c2", "n2-2", user="c2", until=9), starts=at(0.3)),
    ]
    world = pool(*held, nodes={"n1": 3, "n2": 3}, waiting=(owner(gpus=2),))
    rules = catalogue({"vision": (2, 4), "speech": (4, 0)}, gpus=8)
    decided = asked_at(replace(world, catalogue=rules), 1)
    assert {taken.ticket for taken in decided.taken} == {"b2", "c2"}
    assert starts(decided)["own"] == at(1) + WAIT + GRACE + MARGIN


def test_what_was_taken_back_is_not_asked_for_again():
    world = pool(*all_of_vision(8, 8, 8, 8), waiting=(owner(),))
    world = follow(world, plan(world, at(1)), at(1))
    now = at(1) + WAIT
    world = follow(world, plan(world, now), now)
    again = plan(world, now + MINUTE)
    assert again.taken == ()
    assert starts(again)["own"] == now + GRACE + MARGIN


def test_nobody_else_gets_what_is_taken_back_for_an_owner():
    waiting = (owner(), ticket("other", user="eve", hours=0.1, asked=0.5))
    world = pool(*all_of_vision(8, 8, 8, 8), waiting=waiting)
    world = follow(world, plan(world, at(1)), at(1))
    now = at(1) + WAIT
    world = follow(world, plan(world, now), now)
    gone = next(held for held in world.leases if held.ends == now + GRACE)
    world = replace(
        world,
        tickets=tuple(t for t in world.tickets if t.id != gone.ticket),
        leases=tuple(held for held in world.leases if held is not gone),
    )
    assert [grant.ticket for grant in plan(world, now + GRACE).grants] == ["own"]


lists = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2)), max_size=6)


@given(lists, st.integers(1, 6))
def test_the_cheapest_set_is_that_of_trying_all(given: list[tuple[int, int, int]], missing: int):
    leases = [
        (replace(lease(f"l{i}", *(f"d{i}-{n}" for n in range(gpus))), starts=NINE - hours * HOUR), rank)
        for i, (gpus, hours, rank) in enumerate(given)
    ]
    costs = []
    for chosen in range(1, 2 ** len(leases)):
        taken = [leases[i] for i in range(len(leases)) if chosen >> i & 1]
        if sum(len(each.devices) for each, _ in taken) >= missing:
            hours = sum(len(each.devices) * ((NINE - each.starts) / HOUR) for each, _ in taken)
            costs.append((-min(rank for _, rank in taken), hours, len(taken)))
    found = cheapest("n1", leases, missing, NINE)
    assert (found.cost if found else None) == (pytest.approx(min(costs)) if costs else None)


def test_a_decision_names_for_whom_and_until_when():
    decided = asked_at(pool(*all_of_vision(8, 8, 8, 8), waiting=(owner(),)), 1)
    assert decided.taken == (Taken("v2", at(1) + WAIT + GRACE, "own"),)
