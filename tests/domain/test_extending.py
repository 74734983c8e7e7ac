"""By how much a running lease can be extended. Hours count from nine; the margin between two runs is a minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from labpool.domain.extending import Extended, extend, longest_extension
from labpool.domain.inventory import Node
from labpool.domain.leases import Lease
from labpool.domain.planner import Planner, plan
from labpool.domain.reasons import ExtensionReason, NotExtended
from labpool.domain.tickets import EndReason, Event, State, Ticket
from labpool.domain.usage import Usage
from labpool.domain.world import World

from tests.domain.history import PEACEFUL, TROUBLE, History, Step, histories
from tests.domain.lab import HOUR, MINUTE, at, catalogue, follow, inventory, lease, running, starts, ticket

NOW = at(1)
TWO_EACH = {"vision": (2, 2), "speech": (2, 2)}


def pool(
    *held: Lease,
    waiting: tuple[Ticket, ...] = (),
    shares: Mapping[str, tuple[int, int]] | None = None,
    gpus: int = 4,
    many: int = 4,
) -> World:
    """Leases in use on one machine, everybody who waits having a place."""
    rules = catalogue(shares, gpus=gpus)
    world = World(inventory({"n1": many}), rules, (*map(running, held), *waiting), held)
    return follow(world, plan(world, NOW), NOW)


def longest(world: World, name: str = "mine") -> timedelta | NotExtended:
    return longest_extension(next(each for each in world.tickets if each.id == name), world, NOW)


def asked(world: World, hours: float, name: str = "mine") -> Extended | NotExtended:
    return extend(next(each for each in world.tickets if each.id == name), world, NOW, timedelta(hours=hours))


def refused(world: World, hours: float = 1, name: str = "mine") -> NotExtended:
    found = asked(world, hours, name)
    assert isinstance(found, NotExtended)
    return found


def extended(world: World, hours: float, name: str = "mine") -> World:
    """The world once an extension was written down."""
    found = asked(world, hours, name)
    assert isinstance(found, Extended)
    return replace(
        world,
        tickets=tuple(found.ticket if each.id == name else each for each in world.tickets),
        leases=tuple(found.lease if each.ticket == name else each for each in world.leases),
    )


def mine(*devices: str, until: float = 4) -> Lease:
    return lease("mine", *(devices or ("n1-0",)), user="ada", until=until)


def test_lease_and_ticket_grow_by_the_same():
    found = asked(pool(mine(until=4)), 1.5)
    assert isinstance(found, Extended)
    assert (found.ends, found.lease.starts) == (at(5.5), at(0))
    assert found.ticket.duration == found.ends - found.lease.starts
    assert (found.ticket.state, found.lease.devices) == (State.RUNNING, ("n1-0",))


def test_end_is_at_most_the_longest_run_from_now():
    world = pool(mine(until=4))
    assert longest(world) == 5 * HOUR
    assert isinstance(asked(world, 5), Extended)
    told = refused(world, 5.01)
    assert (told.reason, told.until) == (ExtensionReason.TOO_LONG, NOW + 8 * HOUR)
    assert told.message == "With 1 GPU a server may run for 8 h from now at most."
    assert told.remedy == "Extend it by 5 h or less."


def test_all_extensions_together_are_bounded_too():
    world = pool(mine(until=8))
    short = replace(world.catalogue.profiles["gpu-1"], longest_in_all=timedelta(hours=8.5))
    world = replace(world, catalogue=replace(world.catalogue, profiles={"gpu-1": short}))
    assert longest(world) == 30 * MINUTE
    told = refused(world, 1)
    assert told.reason is ExtensionReason.TOO_LONG_IN_ALL
    assert "8 h 30 min in all" in told.message
    none = replace(world, catalogue=replace(world.catalogue, profiles={"gpu-1": replace(short, longest_in_all=None)}))
    assert refused(none).reason is ExtensionReason.TOO_LONG_IN_ALL
    assert refused(none).remedy == "Save checkpoints to go on in a next run."


def test_who_could_not_be_extended_now_is_told_that_it_can_be_later():
    full = pool(mine(until=8.9))
    told = longest(full)
    assert isinstance(told, NotExtended)
    assert (told.reason, told.remedy[:15]) == (ExtensionReason.TOO_LONG, "Extend it later")


def test_next_place_of_another_is_kept_with_its_turnover():
    world = pool(mine(until=4), lease("x", "n1-1", until=6), waiting=(ticket("pair", user="eve", gpus=2),), many=2)
    assert starts_of(world) == {"pair": at(6) + MINUTE}
    assert longest(world) == 2 * HOUR
    told = refused(world, 2.25)
    assert (told.reason, told.until) == (ExtensionReason.PROMISED, at(6))
    assert told.message == "From 15:01 UTC on its GPUs are kept for others."
    assert told.remedy == "Extend it by 2 h or less."


def test_who_waits_right_behind_a_lease_keeps_it_from_going_on():
    world = pool(mine("n1-0", "n1-1"), waiting=(ticket("next", user="eve", gpus=2),), many=2)
    told = longest(world)
    assert isinstance(told, NotExtended)
    assert (told.reason, told.until) == (ExtensionReason.PROMISED, at(4))
    assert told.remedy == "Save checkpoints to go on in a next run."


def test_one_of_several_like_gpus_goes_on_where_enough_are_left_for_others():
    held = (mine(until=4), *(lease(f"x{i}", f"n1-{i}", user=f"x{i}", until=3) for i in (1, 2, 3)))
    world = pool(*held, waiting=(ticket("next", user="eve", gpus=3, hours=8),))
    assert starts_of(world) == {"next": at(3) + MINUTE}
    assert longest(world) == 5 * HOUR


def test_memory_of_the_machine_counts_as_gpus_do():
    ends = {"mine": 4, "x": 4, "y": 8}
    held = [lease(name, f"n1-{i}", user=name, until=until) for i, (name, until) in enumerate(ends.items())]
    world = pool(*held, waiting=(ticket("next", user="eve", gpus=2),))
    assert longest(world) == 5 * HOUR
    large = {**world.catalogue.profiles, "gpu-2": replace(world.catalogue.profiles["gpu-2"], memory_gib=8)}
    machine = replace(world.inventory, nodes=(Node("n1", 16, 12),))
    full = replace(world, catalogue=replace(world.catalogue, profiles=large), inventory=machine)
    assert refused(full).reason is ExtensionReason.PROMISED


def test_what_the_users_other_server_is_planned_for_is_kept_for_it():
    held = (mine("n1-0", "n1-1", until=4), lease("x", "n1-2", "n1-3", user="eve", until=2))
    world = pool(*held, waiting=(ticket("second", user="ada", gpus=2),), gpus=2)
    assert starts_of(world) == {"second": at(4) + MINUTE}
    told = refused(world)
    assert (told.reason, told.until) == (ExtensionReason.OWN_LIMIT, at(4))
    assert told.message.startswith("You may hold 2 GPUs at once; from 13:01 UTC on, other servers")


def test_lowered_limit_forbids_to_go_on_and_ends_nothing():
    held = (mine("n1-0", until=4), replace(lease("more", "n1-1", user="ada", until=6), name="more"))
    assert refused(pool(*held, gpus=1)).reason is ExtensionReason.OWN_LIMIT


def test_what_the_project_may_hold_is_not_exceeded():
    shares = {"vision": (2, 0), "speech": (2, 2)}
    held = (mine(until=4), lease("x", "n1-1", until=2))
    world = pool(*held, waiting=(ticket("pair", user="eve", gpus=2),), shares=shares)
    told = refused(world)
    assert told.reason is ExtensionReason.PROJECT_LIMIT
    assert told.message.startswith("Vision group may hold 2 GPUs (Demo GPU) at once; from 13:01 UTC on")


def test_promise_inside_the_projects_own_gpus_stays_inside_them():
    """Eve is promised one of Vision's two from 12:01 on. If Ada went on, she would have it borrowed."""
    old, bea = lease("old", "n1-0", user="bea", until=6), replace(mine(until=3), devices=("n1-1",))
    eves = lease("eves", "n1-2", user="eve", until=3, project="speech")
    world = pool(old, bea, eves, waiting=(ticket("next", user="eve"),), shares=TWO_EACH, gpus=1)
    assert starts_of(world) == {"next": at(3) + MINUTE}
    told = refused(world)
    assert (told.reason, told.until) == (ExtensionReason.PROMISED, at(3))


def test_project_with_less_use_for_its_weight_comes_first():
    held = (mine("n1-0", "n1-1", until=4), lease("s", "n1-2", user="s", until=4, project="speech"))
    busy = lease("s2", "n1-3", user="s2", until=4, project="speech")
    world = pool(*held, busy, waiting=(ticket("next", user="bert", project="speech"),), shares=TWO_EACH)
    assert longest(world) == 5 * HOUR  # both have set aside as much
    told = refused(replace(world, usage=Usage(NOW, hours={"vision": 1.0})))
    assert told.reason is ExtensionReason.OTHERS_TURN
    assert told.message == "Speech group used less for its share lately and waits for such GPUs (Demo GPU)."
    assert isinstance(asked(replace(world, usage=Usage(NOW, hours={"speech": 1.0})), 1), Extended)


def test_who_waits_for_other_gpus_is_in_nobodys_way():
    world = pool(mine(until=4), waiting=(replace(ticket("next", user="bert"), flavour="other"),))
    assert longest(world) == 5 * HOUR


def test_what_is_borrowed_goes_on_only_while_nobody_waits():
    held = (lease("own", "n1-0", "n1-1", user="lin", until=2), replace(mine("n1-2", until=4), starts=at(0.5)))
    alone = pool(*held, shares=TWO_EACH)
    assert isinstance(asked(alone, 1), Extended)
    busy = lease("x", "n1-3", user="x", until=3, project="speech")
    told = refused(pool(*held, busy, waiting=(ticket("next", user="eve"),), shares=TWO_EACH))
    assert told.reason is ExtensionReason.BORROWED
    assert told.message == "These GPUs are borrowed, and somebody waits for such ones (Demo GPU)."


def changed(world: World, **ticket_or_lease: Any) -> World:
    """The world in which something else is true of the only ticket, or of its lease."""
    (held,), (found,) = world.leases, world.tickets
    of_lease = {key: value for key, value in ticket_or_lease.items() if hasattr(held, key) and key != "project"}
    of_ticket = {key: value for key, value in ticket_or_lease.items() if key not in of_lease}
    return replace(world, leases=(replace(held, **of_lease),), tickets=(replace(found, **of_ticket),))


@pytest.mark.parametrize(
    ("change", "reason", "said"),
    [
        ({"state": State.GRANTED}, ExtensionReason.NOT_IN_USE, "Nobody has used this server yet"),
        ({"state": State.RECLAIMING}, ExtensionReason.TAKEN_BACK, "These GPUs were borrowed"),
        ({"stopping_since": at(0.9)}, ExtensionReason.ENDING, "This server is being stopped."),
        ({"ends": NOW + MINUTE}, ExtensionReason.ENDING, "This server is being stopped."),
        ({"profile": "gone"}, ExtensionReason.NOT_OFFERED, "The profile is no longer offered. What runs"),
        ({"gpus": 2}, ExtensionReason.NOT_OFFERED, "The profile is no longer offered. What runs"),
        ({"project": "gone"}, ExtensionReason.NOT_OFFERED, "The project was removed from the pool. What runs"),
    ],
    ids=lambda value: value.value if isinstance(value, ExtensionReason) else "",
)
def test_lease_that_is_not_simply_in_use_stays_as_it_is(change: dict[str, object], reason: ExtensionReason, said: str):
    told = refused(changed(pool(mine()), **change))
    assert (told.reason, told.message.startswith(said), told.until) == (reason, True, None)


def test_who_left_the_project_keeps_only_what_was_asked_for():
    world = pool(mine())
    closed = replace(world.catalogue.projects["vision"], everyone=False)
    told = refused(replace(world, catalogue=replace(world.catalogue, projects={"vision": closed})))
    assert (told.reason, "no longer a member" in told.message) == (ExtensionReason.NOT_OFFERED, True)


def test_ticket_that_waits_or_has_ended_has_nothing_to_extend():
    waiting, ended = ticket("waiting"), running(mine()).after(Event.END, NOW, EndReason.STOPPED)
    for each in (waiting, ended):
        told = longest_extension(each, pool(), NOW)
        assert isinstance(told, NotExtended)
        assert (told.reason, each.state.value in told.message) == (ExtensionReason.NOT_IN_USE, True)


def test_less_than_a_quarter_of_an_hour_is_not_worth_it():
    told = refused(pool(mine()), 0.1)
    assert (told.reason, told.remedy) == (ExtensionReason.TOO_SHORT, "Ask for 15 min or more.")


def test_lease_on_a_withheld_gpu_goes_on_as_any_other():
    world = pool(mine(), lease("x", "n1-1", until=8), many=2)
    broken = replace(world.inventory, withheld=(("n1-0", "broken"),))
    assert longest(replace(world, inventory=broken)) == 5 * HOUR


def test_extended_lease_that_is_taken_back_leaves_all_its_hours():
    world = extended(pool(mine(until=2)), 3)
    (held,), (found,) = world.leases, world.tickets
    taken = replace(held, ends=at(1.5))
    assert found.duration - (taken.ends - taken.starts) == timedelta(hours=3.5)


def test_planner_that_remembers_plans_around_an_extension_as_one_that_starts_anew():
    held = (mine(until=3), *(lease(f"x{i}", f"n1-{i}", user=f"x{i}", until=4) for i in (1, 2, 3)))
    planner, waiting = Planner(), (ticket("large", user="eve", gpus=2, hours=8),)
    world = World(inventory({"n1": 4}), catalogue(), (*map(running, held), *waiting), held)
    world = follow(world, planner.plan(world, NOW), NOW)
    world = extended(world, 4)
    world = follow(world, planner.plan(world, NOW), NOW)
    assert starts_of(world) == {"large": at(4) + MINUTE}
    later = replace(world, tickets=(*world.tickets, ticket("late", user="bea", gpus=2, hours=8, asked=1)))
    remembered, anew = planner.plan(later, NOW), plan(later, NOW)
    assert starts(remembered)["late"] == at(7) + MINUTE
    assert (remembered.slots, remembered.promises) == (anew.slots, anew.promises)


@given(histories(PEACEFUL * 2 + TROUBLE, 25))
def test_what_is_possible_is_granted_and_no_more_and_moves_nobody(steps: list[Step]):
    planner = Planner()
    history = History(planner.plan)
    history.run(steps)
    world, now = history.as_stored(), history.now
    found = ((each, longest_extension(each, world, now)) for each in history.tickets.values())
    for each, possible in [(each, most) for each, most in found if isinstance(most, timedelta)][:1]:
        granted = extend(each, world, now, possible)
        assert isinstance(granted, Extended)
        assert isinstance(extend(each, world, now, possible + 15 * MINUTE), NotExtended)
        tickets = tuple(granted.ticket if ticket.id == each.id else ticket for ticket in world.tickets)
        leases = tuple(granted.lease if held.ticket == each.id else held for held in world.leases)
        longer = replace(world, tickets=tickets, leases=leases)
        remembered, anew = planner.plan(longer, now), plan(longer, now)
        assert not remembered.broken
        assert set(remembered.slots) == set(anew.slots) == set(world.slots)


def starts_of(world: World) -> dict[str, object]:
    return {slot.ticket: slot.start for slot in world.slots}
