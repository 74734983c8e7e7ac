"""A ticket that an admin lets start ahead of all others."""

from __future__ import annotations

from dataclasses import replace

from labpool.domain.granting import GrantedFirst, grant_first
from labpool.domain.planner import Planner, plan
from labpool.domain.plans import BreakCause
from labpool.domain.reservations import Reservation
from labpool.domain.tickets import Event, Ticket
from labpool.domain.world import World

from tests.domain.lab import add, at, catalogue, follow, inventory, lease, ticket


def planned(world: World, hours: float = 0) -> World:
    return follow(world, plan(world, at(hours)), at(hours))


def granted(world: World, name: Ticket) -> GrantedFirst | None:
    return grant_first(world, next(each for each in world.tickets if each.id == name.id), at(1))


def test_it_starts_where_it_breaks_the_fewest_promises():
    busy = lease("busy", "n2-0", "n2-1", until=3)
    three, late = ticket("three", user="eve", gpus=3), ticket("late", hours=8, asked=0.5)
    world = add(planned(World(inventory({"n1": 2, "n2": 3}), catalogue(), (three,), (busy,))), late)
    found = granted(world, late)
    assert found is not None
    assert (found.lease.devices, found.broken) == (("n1-0",), ())


def test_it_tells_whose_promise_breaks_and_the_next_decision_says_just_that():
    both, late = ticket("both", user="eve", gpus=2), ticket("late", hours=8, asked=0.5)
    world = planned(World(inventory({"n1": 2}), catalogue(), (both,), (lease("a", "n1-0", until=2),)))
    planner = Planner()
    world = follow(world, planner.plan(world, at(0.5)), at(0.5))
    world = add(world, late)
    world = follow(world, planner.plan(world, at(0.9)), at(0.9))
    found = granted(world, late)
    assert found is not None
    assert [(each.ticket, each.cause) for each in found.broken] == [("both", BreakCause.ADMIN_CHANGE)]
    tickets = tuple(each.after(Event.GRANT, at(1)) if each.id == "late" else each for each in world.tickets)
    after = replace(world, tickets=tickets, leases=(*world.leases, found.lease))
    assert planner.plan(after, at(1)).broken == found.broken


def test_what_is_leased_reserved_or_over_a_limit_stays_out_of_reach():
    mine = ticket("mine", user="ada", gpus=1)
    full = World(inventory({"n1": 1}), catalogue(), (mine,), (lease("a", "n1-0", until=2),))
    assert granted(full, mine) is None
    kept = Reservation("r", at(0), at(9), "vision", "gpu", 1)
    shares = {"vision": (0, 0), "speech": (1, 0)}
    other = ticket("other", user="eve", project="speech")
    reserved = World(inventory({"n1": 1}), catalogue(shares), (other,), reservations=(kept,))
    assert granted(reserved, other) is None
    limited = World(inventory({"n1": 2}), catalogue(ada=0), (mine,))
    assert granted(limited, mine) is None
