"""What a project does not lend, and what is reserved. Hours count from nine; the margin is a minute."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from labpool.domain.catalogue import Catalogue
from labpool.domain.explain import why_waiting
from labpool.domain.inventory import Inventory
from labpool.domain.leases import Slot
from labpool.domain.planner import Planner, plan
from labpool.domain.plans import BreakCause
from labpool.domain.reasons import ExtensionReason, WaitReason
from labpool.domain.reservations import UNUSED_AFTER, Reservation, most_reserved, without_unused
from labpool.domain.reserving import consequences, used_of
from labpool.domain.sentences import wait_sentence
from labpool.domain.world import World

from tests.domain.lab import HOUR, MINUTE, add, at, catalogue, end, follow, inventory, lease, starts, ticket
from tests.domain.test_extending import longest, mine, pool, refused

FOUR = inventory({"n1": 4})
TWO_NODES = inventory({"n1": 2, "n2": 2})


def lending(lend: int | None, **shares: tuple[int, int]) -> Catalogue:
    """Vision may borrow all; speech, or whoever is named last, lends so many of its own."""
    rules = catalogue(shares or {"vision": (2, 2), "speech": (2, 2)}, gpus=9)
    last = list(rules.projects)[-1]
    kept = replace(rules.projects[last], lend={} if lend is None else {"gpu": lend})
    return replace(rules, projects={**rules.projects, last: kept})


def reserved(hours: tuple[float, float], devices: int = 2, project: str = "speech", node: str = "") -> Reservation:
    return Reservation("r1", at(hours[0]), at(hours[1]), project, "gpu", devices, node)


def asks(many: int, hours: float = 1, project: str = "vision") -> World:
    waiting = tuple(ticket(f"{project}{i}", user=f"{project}{i}", hours=hours, project=project) for i in range(many))
    return World(FOUR, lending(None), waiting)


def started(world: World, hours: float = 0) -> list[str]:
    return [grant.ticket for grant in plan(world, at(hours)).grants]


@pytest.mark.parametrize(("lend", "borrows"), [(None, 4), (2, 4), (1, 3), (0, 2)])
def test_a_project_lends_no_more_than_it_says(lend: int | None, borrows: int):
    assert len(started(replace(asks(4), catalogue=lending(lend)))) == borrows


def test_what_is_not_lent_is_there_at_once_for_its_owner():
    world = replace(asks(4), catalogue=lending(0))
    world = follow(world, plan(world, at(0)), at(0))
    own = (ticket(f"own{i}", user=f"bert{i}", project="speech") for i in (0, 1))
    assert started(add(world, *own)) == ["own0", "own1"]


def test_an_owner_that_uses_its_own_keeps_nothing_more():
    held = (lease("s0", "n1-0", project="speech", until=9), lease("s1", "n1-1", project="speech", user="x", until=9))
    assert len(started(replace(asks(4), catalogue=lending(0), leases=held))) == 2


def test_who_waits_for_what_is_not_lent_is_told_so():
    world = replace(asks(3), catalogue=lending(0))
    world = follow(world, plan(world, at(0)), at(0))
    wait = why_waiting(world.tickets[-1], world, at(0))
    assert wait is not None
    assert (wait.reason, wait.kept_for) == (WaitReason.KEPT_FOR_OTHERS, ("speech",))
    told = wait_sentence(world.tickets[-1], wait, world.catalogue, timezone.utc, at(0))
    assert told.message == "You wait because the GPUs that are free are kept for Speech group."
    assert told.remedy


def test_where_devices_are_out_of_order_the_rest_is_shared_by_who_keeps():
    two_left = inventory({"n1": 4}, withheld=["n1-2", "n1-3"])
    rules = lending(0, vision=(2, 2), speech=(2, 2))
    rules = replace(rules, projects={name: replace(p, lend={"gpu": 0}) for name, p in rules.projects.items()})
    world = replace(asks(2), catalogue=rules, inventory=two_left)
    assert started(world) == ["vision0"]
    assert set(started(add(world, ticket("own", user="bert", project="speech")))) == {"vision0", "own"}


def test_who_waits_for_what_is_reserved_is_told_until_when():
    world = replace(asks(3, hours=2), reservations=(reserved((1, 3)), replace(reserved((5, 6)), id="later")))
    world = follow(world, plan(world, at(0)), at(0))
    wait = why_waiting(world.tickets[-1], world, at(0))
    assert wait is not None
    assert (wait.kept_for, wait.kept_until) == (("speech",), at(3))
    told = wait_sentence(world.tickets[-1], wait, world.catalogue, timezone.utc, at(0))
    assert told.message == "You wait because the GPUs that are free are kept for Speech group, until 12:00 UTC."


def test_nobody_else_runs_into_a_reservation():
    world = replace(asks(4, hours=2), reservations=(reserved((1, 3)),))
    assert started(world) == ["vision0", "vision1"]
    short = replace(asks(4, hours=0.9), reservations=(reserved((1, 3)),))
    assert len(started(short)) == 4


def test_a_promise_lies_behind_a_reservation_of_all():
    everything = replace(asks(1, hours=2), reservations=(reserved((1, 3), devices=4),))
    assert starts(plan(everything, at(0))) == {"vision0": at(3) + MINUTE}


def test_a_reservation_is_its_projects_own_beside_its_nominal_devices():
    class_of_four = replace(asks(4, hours=1, project="speech"), reservations=(reserved((1, 2), devices=2),))
    rules = replace(class_of_four, catalogue=lending(None, vision=(2, 2), speech=(2, 0)))
    decided = plan(rules, at(0.5))
    assert sorted(starts(decided).values()) == [at(0.5), at(0.5), at(1), at(1)]
    assert len(decided.promises) == 2  # the third and the fourth, for when it begins


def test_who_asks_for_more_than_nominal_is_promised_it_within_the_reservation():
    world = World(
        FOUR, lending(None, vision=(2, 2), speech=(1, 0)), (ticket("big", gpus=3, hours=1, project="speech"),)
    )
    assert plan(world, at(0)).promises == {}
    with_time = replace(world, reservations=(reserved((4, 5)),))
    assert plan(with_time, at(0)).promises == {"big": at(4)}


def test_most_that_is_reserved_at_once_counts_those_that_meet():
    times = [reserved((1, 3)), reserved((2, 4), devices=3), reserved((4, 6), devices=4), reserved((2, 3), project="x")]
    assert most_reserved(times, "speech", "gpu") == 5
    assert most_reserved(times[2:], "speech", "gpu") == 4
    assert most_reserved([], "speech", "gpu") == 0


def test_a_reserved_node_is_kept_whole():
    rules = lending(None, vision=(3, 3), speech=(0, 0))
    waiting = tuple(ticket(f"t{i}", user=f"u{i}", hours=2) for i in range(3))
    world = World(TWO_NODES, rules, waiting, reservations=(reserved((1, 3), node="n2"),))
    decided = plan(world, at(0))
    assert {device[:2] for grant in decided.grants for device in grant.devices} == {"n1"}
    assert starts(decided)["t2"] == at(2) + MINUTE
    two = plan(add(world, ticket("both", gpus=2, hours=2, project="speech", asked=0.1)), at(0))
    assert [(slot.node, slot.start) for slot in two.slots if slot.ticket == "both"] == [("n2", at(1))]


def test_maintenance_closes_a_node_for_everybody():
    closed = Reservation("m1", at(1), at(3), node="n1")
    world = World(inventory({"n1": 2}), lending(None), (ticket("long", hours=2), ticket("short", user="b", hours=0.5)))
    assert starts(plan(replace(world, reservations=(closed,)), at(0))) == {"short": at(0), "long": at(3) + MINUTE}
    world = replace(world, reservations=(closed,))
    world = follow(world, plan(world, at(0)), at(0))
    wait = why_waiting(next(t for t in world.tickets if t.id == "long"), world, at(0))
    assert wait is not None
    assert (wait.reason, wait.kept_for, wait.kept_until) == (WaitReason.KEPT_FOR_OTHERS, (), at(3))
    told = wait_sentence(world.tickets[0], wait, world.catalogue, timezone.utc, at(0))
    assert told.message == "You wait because the GPUs that are free are closed for maintenance, until 12:00 UTC."


def test_what_a_reservation_kept_is_dealt_out_when_it_is_over():
    planner = Planner()
    world = replace(asks(3, hours=2), reservations=(reserved((0, 1)),))
    world = follow(world, planner.plan(world, at(0)), at(0))
    assert planner.plan(world, at(0.5)).grants == ()
    assert planner.plan(world, at(0.5)).looks_at == at(1) + MINUTE
    assert [grant.ticket for grant in planner.plan(world, at(1) + MINUTE).grants] == ["vision2"]


def test_a_reservation_is_accepted_where_it_breaks_nothing():
    world = World(FOUR, lending(None, vision=(4, 0), speech=(0, 0)), (ticket("big", gpus=4, hours=2),))
    held = replace(world, leases=(lease("busy", "n1-0", until=1),))
    told = follow(held, plan(held, at(0)), at(0))
    assert told.tickets[0].starts_by == at(1) + MINUTE
    later = consequences(told, [reserved((4, 6))], at(0))
    assert later.harmless
    meets = consequences(told, [reserved((2, 6))], at(0))
    assert [(b.ticket, b.planned, b.cause) for b in meets.broken] == [("big", at(6) + MINUTE, BreakCause.ADMIN_CHANGE)]
    assert meets.missing == 0


def test_what_runs_into_a_reservation_is_counted():
    held = tuple(lease(f"v{i}", f"n1-{i}", user=f"u{i}", until=9) for i in range(3))
    world = World(FOUR, lending(None), (), held)
    assert consequences(world, [reserved((1, 3))], at(0)).missing == 1
    assert consequences(world, [Reservation("m", at(1), at(3), node="n1")], at(0)).missing == 3
    assert consequences(end(world, "v0"), [reserved((1, 3))], at(0)).harmless


def test_several_times_are_weighed_together():
    world = World(FOUR, lending(None, vision=(4, 0), speech=(0, 0)), (ticket("big", gpus=4, hours=2),))
    held = replace(world, leases=(lease("busy", "n1-0", until=0.5), lease("x", "n1-1", user="x", until=2)))
    told = follow(held, plan(held, at(0)), at(0))
    assert told.tickets[0].starts_by == at(2) + MINUTE
    times = [reserved((1, 2), devices=4), replace(reserved((3, 5)), id="r2"), replace(reserved((7, 8)), id="r3")]
    found = consequences(told, times, at(0))
    assert [broken.ticket for broken in found.broken] == ["big"]
    assert found.missing == 1


def test_used_of_a_reservation_is_what_its_project_holds_and_will_hold_within_its_time():
    on = reserved((1, 3), devices=4)
    held = (lease("s", "n1-0", project="speech"), lease("v", "n2-0", user="v"))
    waiting = (
        ticket("inside", gpus=2, project="speech"),
        ticket("behind", user="b", project="speech"),
        ticket("other", user="c"),
    )
    slots = (Slot("inside", "n2", at(2), at(3)), Slot("behind", "n1", at(3), at(4)), Slot("other", "n1", at(2), at(3)))
    world = World(TWO_NODES, lending(None), waiting, held, slots)
    assert used_of(world, on) == 3
    assert [used_of(world, replace(on, node=node)) for node in ("n1", "n2")] == [1, 2]


def test_courses_that_follow_each_other_take_their_devices_once():
    first = replace(reserved((1, 2), devices=3), id="a")
    second = replace(reserved((2, 3), devices=3, project="vision"), id="b")
    world = replace(asks(1, hours=4), reservations=(first,), catalogue=lending(None, vision=(2, 2), speech=(2, 2)))
    assert consequences(world, [second], at(0)).harmless
    assert started(replace(world, reservations=(first, second))) == ["vision0"]


def test_what_ends_just_as_a_reservation_begins_is_not_missing():
    held = tuple(lease(f"v{i}", f"n1-{i}", user=f"u{i}", until=1) for i in range(4))
    assert consequences(World(FOUR, lending(None), (), held), [reserved((1, 3))], at(0)).harmless


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Reservation("r", at(2), at(1), "speech", "gpu", 1), "over or empty"),
        (Reservation("r", at(-2), at(-1), "speech", "gpu", 1), "over or empty"),
        (Reservation("r", at(1), at(2), "speech", "gpu", 0), "can't be reserved"),
        (Reservation("r", at(1), at(2), "speech", "tpu", 1), "can't be reserved"),
        (Reservation("r", at(1), at(2), "nobody", "gpu", 1), "no project nobody"),
        (Reservation("r", at(1), at(2), "speech", "gpu", 1, "n9"), "no device is on a node n9"),
        (Reservation("r", at(1), at(2)), "name the node"),
    ],
)
def test_what_can_never_be_reserved_is_refused(wanted: Reservation, said: str):
    with pytest.raises(ValueError, match=said):
        consequences(asks(1), [wanted], at(0))


def test_what_nobody_uses_is_released_after_a_quarter_of_an_hour():
    wanted = reserved((1, 3), devices=4)
    assert without_unused(wanted, 1, at(1) + UNUSED_AFTER - timedelta(seconds=1)) == wanted
    assert without_unused(wanted, 1, at(1) + UNUSED_AFTER).devices == 1
    assert without_unused(wanted, 9, at(1) + UNUSED_AFTER).devices == 4
    maintenance = Reservation("m", at(1), at(3), node="n1")
    assert without_unused(maintenance, 0, at(2)) == maintenance


def test_a_reservation_for_what_is_not_there_keeps_nobody_from_anything_else():
    gone = Reservation("r", at(0), at(3), "speech", "tpu", 2)
    world = replace(asks(4), reservations=(gone,), inventory=Inventory(FOUR.nodes, FOUR.devices))
    assert len(started(world)) == 4


def test_an_extension_does_not_run_into_what_is_kept_for_others():
    rules = catalogue({"vision": (4, 4), "speech": (0, 0)})
    course = Reservation("course", at(6), at(8), "speech", "gpu", 4)
    world = replace(pool(mine(until=4)), catalogue=rules, reservations=(course,))
    told = refused(world, 4)
    assert (told.reason, told.until) == (ExtensionReason.PROMISED, at(6) - MINUTE)
    assert told.message == "From 15:00 UTC on its GPUs are kept for others."
    mine_too = replace(course, project="vision", devices=3)
    assert longest(replace(world, reservations=(mine_too,))) == 5 * HOUR
