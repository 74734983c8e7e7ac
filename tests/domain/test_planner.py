"""Who starts when, one situation each. Hours count from nine o'clock; the turnover margin is one minute."""

from dataclasses import replace

from labpool.domain.catalogue import Catalogue, Limits, UserLimit
from labpool.domain.leases import Lease
from labpool.domain.planner import Planner, plan
from labpool.domain.plans import Grant
from labpool.domain.reasons import Refusal
from labpool.domain.requests import Request, check_request
from labpool.domain.tickets import Event
from labpool.domain.usage import Usage
from labpool.domain.world import World

from tests.domain.lab import HOUR, MINUTE, NINE, add, at, catalogue, end, follow, inventory, lease, starts, ticket

ONE = inventory({"n1": 1})
TWO = inventory({"n1": 2})
MARGIN = MINUTE


def test_a_free_device_is_granted_at_once_for_the_hours_asked():
    world = World(ONE, catalogue(), (ticket("train", hours=3),))
    assert plan(world, at(0)).grants == (Grant("train", ("n1-0",), at(0), at(3)),)


def test_a_ticket_granted_at_once_needs_no_promise():
    assert not plan(World(ONE, catalogue(), (ticket("train"),)), at(0)).promises


def test_second_ticket_is_promised_the_planned_end_of_the_first_and_a_margin():
    world = World(ONE, catalogue(), (ticket("train"),), (lease("busy", "n1-0", until=2),))
    decided = plan(world, at(0))
    assert decided.promises == {"train": at(2) + MARGIN}
    assert starts(decided) == {"train": at(2) + MARGIN}


def test_who_asked_first_gets_the_device_that_frees_first():
    tickets = (ticket("late", user="eve", asked=0.2), ticket("early", asked=0.1))
    world = World(TWO, catalogue(), tickets, (lease("a", "n1-0", until=2), lease("b", "n1-1", until=5)))
    assert starts(plan(world, at(1))) == {"early": at(2) + MARGIN, "late": at(4) + 2 * MARGIN}


def test_of_two_requests_at_the_same_moment_the_order_is_always_the_same():
    tickets = (ticket("b", user="eve"), ticket("a"))
    assert [grant.ticket for grant in plan(World(ONE, catalogue(), tickets), at(0)).grants] == ["a"]


def test_a_short_run_slips_in_before_a_promised_one_that_it_does_not_delay():
    held = (lease("a", "n1-0", until=2),)
    world = World(TWO, catalogue(), (ticket("both", gpus=2),), held)
    world = follow(world, plan(world, at(0)), at(0))
    decided = plan(add(world, ticket("short", user="eve", hours=1, asked=0.1)), at(0.1))
    assert starts(decided) == {"short": at(0.1), "both": at(2) + MARGIN}


def test_a_long_run_may_not_slip_in_where_it_would_delay_a_promise():
    world = World(TWO, catalogue(), (ticket("both", gpus=2),), (lease("a", "n1-0", until=2),))
    world = follow(world, plan(world, at(0)), at(0))
    decided = plan(add(world, ticket("long", user="eve", hours=8, asked=0.1)), at(0.1))
    assert starts(decided) == {"both": at(2) + MARGIN, "long": at(4) + 2 * MARGIN}


def test_an_early_end_moves_the_queue_forward_and_no_promise_backward():
    tickets = (ticket("train"), ticket("next", user="eve", asked=0.1))
    world = World(ONE, catalogue(), tickets, (lease("busy", "n1-0", until=5),))
    world = follow(world, plan(world, at(0.1)), at(0.1))
    decided = plan(end(world, "busy"), at(1))
    assert starts(decided) == {"train": at(1), "next": at(3) + MARGIN}
    assert not decided.promises


def test_an_early_end_starts_the_projects_own_next_ticket_however_many_other_projects_wait():
    names = [f"project-{number}" for number in range(30)]
    pool, rules = inventory(dict.fromkeys(names, 1)), catalogue(dict.fromkeys(names, (1, 0)))
    tickets = tuple(ticket(f"next-{name}", user=name, project=name) for name in names)
    held = tuple(lease(f"held-{name}", f"{name}-0", user=f"of-{name}", project=name) for name in names)
    world = World(pool, rules, tickets, held)
    world = follow(world, plan(world, at(0.1)), at(0.1))
    for name in (names[0], names[-1]):
        planner = Planner()
        planner.plan(world, at(0.2))
        decided = planner.plan(end(world, f"held-{name}"), at(1))
        assert [grant.ticket for grant in decided.grants] == [f"next-{name}"]


def test_what_frees_early_goes_to_the_least_work_that_delays_nobody():
    tickets = (ticket("long"), ticket("short", user="eve", hours=1, asked=0.1))
    world = World(ONE, catalogue(), tickets, (lease("busy", "n1-0", until=5),))
    world = follow(world, plan(world, at(0.1)), at(0.1))
    decided = plan(end(world, "busy"), at(1))
    assert starts(decided) == {"short": at(1), "long": at(2) + MARGIN}


def test_least_work_does_not_start_where_it_would_delay_a_promise():
    tickets = (ticket("pair", gpus=2, hours=4), ticket("single", user="eve", hours=6, asked=0.1))
    held = (lease("one", "n1-0", until=5), lease("other", "n1-1", until=5, user="bea"))
    world = World(TWO, catalogue(), tickets, held)
    world = follow(world, plan(world, at(0.1)), at(0.1))
    decided = plan(end(world, "one"), at(1))
    assert starts(decided) == {"pair": at(5) + MARGIN, "single": at(9) + 2 * MARGIN}


def first_to_gain(rules: Catalogue, usage: Usage, *held: Lease) -> str:
    """Who gets the one device that frees early: the shorter one of Vision, or the longer one of Speech."""
    tickets = (ticket("vision", hours=1), ticket("speech", user="eve", hours=4, asked=0.1, project="speech"))
    world = World(inventory({"n1": 4}), rules, tickets, (*held, lease("busy", "n1-3", until=9)), usage=usage)
    world = follow(world, plan(world, at(0.1)), at(0.1))
    (grant,) = plan(end(world, "busy"), at(1)).grants
    return grant.ticket


def test_of_two_projects_the_one_with_less_set_aside_for_its_weight_gains_first():
    held = [lease("v0", "n1-0", user="v0", until=9)]
    held += [lease(f"s{i}", f"n1-{i}", user=f"s{i}", until=9, project="speech") for i in (1, 2)]
    assert first_to_gain(catalogue({"vision": (1, 3), "speech": (3, 1)}), Usage(), *held) == "speech"
    assert first_to_gain(catalogue({"vision": (2, 2), "speech": (2, 2)}), Usage(), *held) == "vision"


def test_of_two_projects_the_one_that_used_less_for_its_weight_gains_first():
    held = [lease(f"b{i}", f"n1-{i}", user=f"b{i}", until=9, project="both") for i in range(3)]
    rules = catalogue({"vision": (2, 2), "speech": (2, 2), "both": (4, 0)})
    used = Usage().after("vision", 1, at(-10), at(-8)).after("speech", 1, at(-10), at(-9))
    assert first_to_gain(rules, Usage(), *held) == "speech"  # "busy" is Vision's
    assert first_to_gain(rules, used.after("speech", 4, at(-9), at(0)), *held) == "vision"
    heavy = replace(rules, projects={**rules.projects, "speech": replace(rules.projects["speech"], weight=200.0)})
    assert first_to_gain(heavy, used.after("speech", 4, at(-9), at(0)), *held) == "speech"


def test_devices_of_one_ticket_are_on_one_node():
    world = World(inventory({"n1": 1, "n2": 2}), catalogue(), (ticket("pair", gpus=2),))
    assert plan(world, at(0)).grants[0].devices == ("n2-0", "n2-1")


def test_a_single_device_leaves_whole_nodes_whole():
    held = (lease("busy", "n2-0"),)
    world = World(inventory({"n1": 2, "n2": 2}), catalogue(), (ticket("one"),), held)
    assert plan(world, at(0)).grants[0].devices == ("n2-1",)


def test_two_tickets_of_one_user_get_slots_one_after_another_under_a_limit_of_one():
    world = World(TWO, catalogue(gpus=1), (ticket("first"), ticket("second", asked=0.1)))
    decided = plan(world, at(0.1))
    assert starts(decided) == {"first": at(0.1), "second": at(2.1) + MARGIN}


def test_a_promise_counts_on_the_users_own_lease_ending_where_the_limit_is_in_the_way():
    held = (lease("mine", "n1-0", user="ada", until=3),)
    world = World(TWO, catalogue(gpus=1), (ticket("next"),), held)
    assert plan(world, at(0)).promises == {"next": at(3) + MARGIN}


def test_a_project_never_plans_more_than_its_own_devices():
    held = (lease("theirs", "n1-0", user="lin", until=4),)
    world = World(inventory({"n1": 4}), catalogue({"vision": (2, 2)}), (ticket("four", gpus=2),), held)
    assert starts(plan(world, at(0))) == {"four": at(0)}  # borrowing one
    held = (*held, lease("more", "n1-1", user="eve", until=5), lease("most", "n1-2", user="bea", until=6))
    assert plan(replace(world, leases=held), at(0)).promises == {"four": at(6) + MARGIN}


def test_who_needs_to_borrow_is_promised_nothing_and_starts_when_enough_is_free():
    held = (lease("theirs", "n1-0", user="lin", until=4), lease("others", "n1-1", user="eve", project="speech"))
    rules = catalogue({"vision": (1, 1), "speech": (1, 1)})
    world = World(TWO, rules, (ticket("pair", gpus=2),), held)
    decided = plan(world, at(0))
    assert (decided.promises, decided.slots, decided.grants) == ({}, (), ())
    assert starts(plan(end(world, "theirs", "others"), at(1))) == {"pair": at(1)}


def test_who_needs_to_borrow_takes_no_place_from_an_owner():
    held = (lease("theirs", "n1-0", user="lin", until=4), lease("others", "n1-1", user="eve", until=5))
    rules = catalogue({"vision": (1, 1), "speech": (1, 1)})
    tickets = (ticket("pair", gpus=2), ticket("own", user="bert", project="speech", hours=8, asked=0.1))
    world = World(TWO, rules, tickets, held)
    assert plan(world, at(0.1)).promises == {"own": at(4) + MARGIN}


def test_the_first_without_a_promise_gets_a_place_after_a_day_and_loses_it_only_to_a_promise():
    rules = catalogue({"vision": (1, 1), "speech": (1, 1)})
    held = (lease("a", "n1-0", user="lin", until=30), lease("b", "n1-1", user="eve", until=40, project="speech"))
    tickets = (ticket("pair", gpus=2, hours=1), ticket("next", user="bea", gpus=2, hours=1, asked=0.1))
    world = World(TWO, rules, tickets, held)
    decided = plan(world, at(1))
    assert decided.looks_at == at(24)
    world = follow(world, decided, at(1))
    decided = plan(world, at(24))
    assert (starts(decided), decided.promises) == ({"pair": at(40) + MARGIN}, {})
    world = follow(world, decided, at(24))
    short = ticket("short", user="tom", hours=12, asked=25)  # would be over too late
    world = follow(add(world, short), plan(add(world, short), at(25)), at(25))
    assert {slot.ticket for slot in world.slots} == {"pair", "short"}
    owner = ticket("own", user="bert", project="speech", hours=12, asked=26)
    world = add(world, owner)
    decided = plan(world, at(26))
    assert decided.promises == {"own": at(40) + MARGIN}
    assert starts(decided)["pair"] == at(52) + 2 * MARGIN
    assert not decided.broken


def test_cpu_and_memory_of_a_node_are_shared_like_its_devices():
    rules = catalogue(gpus=8)
    profiles = {**rules.profiles, "gpu-1": replace(rules.profiles["gpu-1"], cpu=10), "gpu-2": rules.profiles["gpu-2"]}
    rules = replace(rules, profiles=profiles)
    tickets = (ticket("big"), ticket("big too", user="eve", asked=0.1), ticket("small", user="lin", gpus=2, asked=0.2))
    world = World(inventory({"n1": 4}), rules, tickets)  # of 16 cores
    assert starts(plan(world, at(0.2))) == {"big": at(0.2), "big too": at(2.2) + MARGIN, "small": at(0.2)}


def test_cpu_that_others_take_at_the_moment_is_left_to_them_and_refuses_nobody():
    found = inventory({"n1": 2, "n2": 2})  # of 16 cores each
    crowded = replace(found, nodes=(replace(found.nodes[0], cpu_taken=15, memory_gib_taken=1), found.nodes[1]))
    rules = catalogue(gpus=8)
    decided = plan(World(crowded, rules, (ticket("one"), ticket("two", user="eve", gpus=2, asked=0.1))), at(0.1))
    assert [device for grant in decided.grants for device in grant.devices if device.startswith("n1")] == []
    full = replace(found, nodes=tuple(replace(node, cpu_taken=99) for node in found.nodes))
    assert not starts(plan(World(full, rules, (ticket("one"),)), at(0)))
    asked = Request("ada", frozenset(), "train", "vision", "gpu-1", HOUR)
    assert not isinstance(check_request(asked, rules, full, ()), Refusal)


def test_a_queued_ticket_of_a_server_waits_for_that_servers_old_lease():
    held = (replace(lease("old", "n1-0", user="ada", until=2), name="train"),)
    world = World(TWO, catalogue(), (ticket("train"),), held)
    assert plan(world, at(0)).promises == {"train": at(2) + MARGIN}


def test_a_ticket_that_is_not_ready_holds_no_place():
    unready = replace(ticket("away"), ready=False)
    decided = plan(World(ONE, catalogue(), (unready, ticket("here", user="eve", asked=1))), at(1))
    assert starts(decided) == {"here": at(1)}


def test_a_project_that_is_gone_plans_nothing():
    assert not starts(plan(World(ONE, catalogue(), (ticket("train", project="gone"),)), at(0)))


def test_a_device_is_held_by_its_lease_even_before_the_lease_begins_by_the_clock():
    world = World(ONE, catalogue(), (ticket("train"),), (lease("busy", "n1-0"),))
    assert not plan(world, at(-20)).grants


def test_a_requeued_ticket_gets_a_new_promise():
    running = ticket("train").after(Event.GRANT, at(0)).after(Event.FIRST_USE, at(0))
    requeued = replace(running, starts_by=at(0)).requeued(at(1), 2 * HOUR)
    world = World(ONE, catalogue(), (requeued,), (lease("busy", "n1-0", until=4),))
    assert plan(world, at(1)).promises == {"train": at(4) + MARGIN}


def test_the_pool_is_told_when_to_look_again():
    world = World(ONE, catalogue(), (ticket("train"),), (lease("busy", "n1-0"),))
    decided = plan(world, at(0))
    assert decided.looks_at == at(2) + MARGIN
    assert plan(World(ONE, catalogue()), at(0)).looks_at is None


def test_groups_of_the_newest_ticket_say_which_limit_holds():
    students = Limits(UserLimit(4, 3, 8), groups={"students": UserLimit(1, 3, 8)})
    tickets = (ticket("a"), replace(ticket("b", asked=0.1), groups=frozenset({"students"})))
    world = World(TWO, replace(catalogue(), limits=students), tickets)
    assert starts(plan(world, at(0.1))) == {"a": at(0.1), "b": at(2.1) + MARGIN}


def test_an_empty_pool_decides_nothing():
    decided = plan(World(inventory({}), catalogue()), NINE)
    assert (decided.grants, decided.slots, decided.broken, dict(decided.promises)) == ((), (), (), {})


def test_a_ticket_that_leaves_the_queue_lets_later_ones_move_earlier_only():
    world = World(ONE, catalogue(), tuple(ticket(n, user=n) for n in "abc"), (lease("busy", "n1-0", until=1),))
    world = follow(world, plan(world, at(0)), at(0))
    before, after = {s.ticket: s.start for s in world.slots}, starts(plan(end(world, "b"), at(0)))
    assert after["a"] == before["a"]
    assert after["c"] == before["b"]


def test_a_withheld_device_is_not_granted():
    world = World(inventory({"n1": 1}, withheld=["n1-0"]), catalogue(), (ticket("train"),))
    decided = plan(world, at(0))
    assert not decided.grants
    assert not decided.slots


def test_a_ticket_that_is_told_an_estimate_stays_where_it_is_in_line():
    planner = Planner()
    world = World(ONE, catalogue(), leases=(lease("ada", "n1-0", until=4),))
    for waiting in (ticket("bert", user="bert", hours=1), ticket("eve", user="eve", hours=2, asked=0.1)):
        world = add(world, waiting)
        world = follow(world, planner.plan(world, waiting.requested_at), waiting.requested_at)
    told = tuple(replace(each, likely_start=at(1)) if each.id == "eve" else each for each in world.tickets)
    freed = end(replace(world, tickets=told), "ada")
    assert [grant.ticket for grant in planner.plan(freed, at(0.2)).grants] == ["bert"]
