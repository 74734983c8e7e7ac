"""What somebody who waits could have at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from labpool.domain.catalogue import Flavour
from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease
from labpool.domain.planner import plan
from labpool.domain.sooner import sooner
from labpool.domain.tickets import State, Ticket
from labpool.domain.world import World

from tests.domain.history import PEACEFUL, History, Step, histories
from tests.domain.lab import HOUR, MINUTE, add, at, catalogue, follow, inventory, lease, starts, ticket

THREE = inventory({"n1": 3})


def waiting(hardware: Inventory, held: tuple[Lease, ...], *tickets: Ticket, gpus: int = 4) -> World:
    """The world once everybody has a place."""
    world = World(hardware, catalogue(gpus=gpus), tickets, held)
    return follow(world, plan(world, at(1)), at(1))


def offers(world: World, name: str) -> dict[str, timedelta]:
    """What a ticket is offered, by profile."""
    found = next(each for each in world.tickets if each.id == name)
    return {offer.profile.name: offer.duration for offer in sooner(found, world, at(1))}


def test_less_time_fits_before_what_is_promised_to_another():
    held = (lease("x", "n1-0", "n1-1", until=5),)
    pair = ticket("pair", user="bea", gpus=3, hours=2)
    world = waiting(THREE, held, pair, ticket("long", hours=8, asked=0.1))
    assert offers(world, "long") == {"gpu-1": timedelta(hours=4)}  # to 5:00, the minute of turnover left over


def test_fewer_gpus_are_offered_for_the_same_time():
    world = waiting(THREE, (lease("x", "n1-0", until=5),), ticket("all", gpus=3, hours=2))
    assert offers(world, "all") == {"gpu-1": 2 * HOUR, "gpu-2": 2 * HOUR}


def test_another_flavour_that_is_free_is_offered():
    hardware = inventory({"n1": 1, "n2": 1})
    gpu, other = hardware.devices
    hardware = replace(hardware, devices=(gpu, replace(other, flavour="slice")))
    known, vision = catalogue(), catalogue().projects["vision"]
    profiles = dict(known.profiles) | {"slice": replace(known.profiles["gpu-1"], name="slice", flavour="slice")}
    project = replace(vision, nominal={"gpu": 1, "slice": 1}, profiles=("gpu-1", "slice"))
    flavours = dict(known.flavours) | {"slice": Flavour("slice", "Slice")}
    rules = replace(known, flavours=flavours, profiles=profiles, projects={"vision": project})
    world = World(hardware, rules, (ticket("late"),), (lease("x", gpu.id, until=5),))
    assert offers(follow(world, plan(world, at(1)), at(1)), "late") == {"slice": 2 * HOUR}


def test_profiles_that_can_never_be_had_are_not_offered():
    world = waiting(THREE, (lease("x", "n1-0", until=5),), ticket("all", gpus=3, hours=2))
    few = replace(world, catalogue=catalogue(gpus=1))
    assert set(offers(few, "all")) == {"gpu-1"}


def test_own_limit_leaves_nothing_to_offer():
    held = (lease("mine", "n1-0", user="ada", until=5),)
    world = waiting(THREE, held, ticket("more"), gpus=1)
    assert offers(world, "more") == {}


def test_nothing_is_offered_where_nothing_is_free_or_nobody_waits():
    held = tuple(lease(f"x{i}", f"n1-{i}", until=5) for i in range(3))
    world = waiting(THREE, held, ticket("late"))
    assert offers(world, "late") == {}
    running = replace(ticket("run"), state=State.RUNNING)
    assert sooner(running, add(world, running), at(1)) == ()


@given(histories(PEACEFUL, 25))
def test_what_is_offered_starts_at_once_and_breaks_no_promise(steps: list[Step]):
    history = History(plan)
    history.run(steps)
    world = replace(history.world, tickets=tuple(history.tickets.values()), leases=tuple(history.leases.values()))
    profiles = {
        f"big-{n}": replace(catalogue().profiles["gpu-1"], name=f"big-{n}", flavour="big", gpus=n) for n in (1, 2)
    }
    projects = {name: replace(p, profiles=tuple(profiles)) for name, p in world.catalogue.projects.items()}
    world = replace(world, catalogue=replace(world.catalogue, profiles=profiles, projects=projects))
    for asked in world.line():
        for offer in sooner(asked, world, history.now):
            others = tuple(each for each in world.tickets if each.id != asked.id)
            taken = replace(asked, id="taken", flavour="big", gpus=offer.profile.gpus, duration=offer.duration)
            swapped = replace(world, tickets=(*others, replace(taken, requested_at=history.now, starts_by=None)))
            decided = plan(swapped, history.now, first="taken")
            assert "taken" in {grant.ticket for grant in decided.grants}
            assert not decided.broken
            waiting = {each.id for each in world.line()} - {asked.id}
            assert all(starts(decided)[slot.ticket] <= slot.start for slot in world.slots if slot.ticket in waiting)
            assert offer.duration >= 15 * MINUTE
