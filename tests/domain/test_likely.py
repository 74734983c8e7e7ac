"""How long runs last as was observed, and when tickets will likely start. Hours count from nine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from labpool.domain.likely import likely_starts
from labpool.domain.planner import plan
from labpool.domain.run_lengths import RunLengths
from labpool.domain.tickets import Ticket
from labpool.domain.verdicts import Verdict, Verdicts
from labpool.domain.world import World

from tests.domain.lab import HOUR, MINUTE, at, catalogue, follow, inventory, lease, ticket

ONE, TWO = inventory({"n1": 1}), inventory({"n1": 2})


def observed(part: float, runs: int = 40, user: str = "lin", profile: str = "gpu-1") -> RunLengths:
    lengths = RunLengths()
    for _ in range(runs):
        lengths.observe(user, profile, HOUR, part * HOUR)
    return lengths


def test_without_any_run_the_prior_says_that_most_use_a_part_of_their_hours():
    assert RunLengths().quantile(0.5, "ada", "gpu-1", 8 * HOUR) == 0.3 * 8 * HOUR


def test_a_users_own_runs_outweigh_those_of_others():
    lengths = observed(0.9, user="eve")
    for _ in range(16):
        lengths.observe("ada", "gpu-1", HOUR, 0.2 * HOUR)
    assert lengths.quantile(0.5, "ada", "gpu-1", HOUR) == 0.2 * HOUR
    assert lengths.quantile(0.5, "bert", "gpu-1", HOUR) == 0.9 * HOUR


def test_a_run_that_has_lasted_longer_than_most_is_not_over_yet():
    lengths = observed(0.2)
    assert lengths.quantile(0.5, "lin", "gpu-1", HOUR, 0.1 * HOUR) == 0.2 * HOUR
    assert lengths.quantile(0.5, "lin", "gpu-1", HOUR, 0.3 * HOUR) > 0.3 * HOUR
    assert lengths.quantile(0.5, "lin", "gpu-1", HOUR, HOUR) == HOUR


@pytest.mark.parametrize("used", [timedelta(0), 0.4 * HOUR, 0.99 * HOUR])
def test_a_larger_quantile_is_never_shorter(used: timedelta):
    lengths = observed(0.5, runs=3)
    found = [lengths.quantile(q / 10, "lin", "gpu-1", HOUR, used) for q in range(1, 11)]
    assert found == sorted(found)
    assert all(used < each <= HOUR for each in found)


def test_runs_that_asked_for_about_as_many_hours_say_most():
    lengths = observed(0.9)
    for _ in range(40):
        lengths.observe("lin", "gpu-1", 24 * HOUR, 0.05 * 24 * HOUR)
    assert lengths.quantile(0.5, "lin", "gpu-1", HOUR) == 0.9 * HOUR
    assert lengths.quantile(0.5, "lin", "gpu-1", 20 * HOUR) == 0.05 * 20 * HOUR


def test_without_runs_of_a_profile_those_of_others_say_how_long_one_lasts():
    assert observed(0.6).quantile(0.5, "ada", "gpu-4", HOUR) == 0.6 * HOUR


def waiting_behind_one(hours: float) -> World:
    world = World(ONE, catalogue(), (ticket("next"),), (lease("busy", "n1-0", until=hours),))
    return follow(world, plan(world, at(0)), at(0))


def test_a_ticket_likely_starts_when_the_run_before_it_likely_ends():
    lengths = observed(0.25, profile="")  # a lease whose ticket is gone counts for no profile
    for user in ("lin",):
        lengths.observe(user, "", HOUR, 0.25 * HOUR)
    assert likely_starts(waiting_behind_one(8), lengths, "gpu", at(0)) == {"next": at(2) + MINUTE}


def test_no_estimate_is_later_than_the_promise():
    lengths = observed(1.0, profile="")
    world = waiting_behind_one(2)
    assert likely_starts(world, lengths, "gpu", at(0)) == {"next": at(2) + MINUTE}
    assert likely_starts(world, lengths, "gpu", at(1.9)) == {"next": at(2) + MINUTE}


def waiting_for_two(hours: float) -> World:
    """One of two devices is in use for two hours, "pair" is promised both, and "next" wants the one that is free."""
    waiting = (ticket("pair", user="bert", gpus=2), ticket("next", hours=hours, asked=0.1))
    world = World(TWO, catalogue(), waiting, (lease("busy", "n1-0", until=2),))
    return follow(world, plan(world, at(0.1)), at(0.1))


def likely_of_two(hours: float, part: float) -> dict[str, float]:
    lengths = RunLengths()
    for _ in range(400):
        for user, profile in (("lin", ""), ("ada", "gpu-1"), ("bert", "gpu-2")):
            lengths.observe(user, profile, HOUR, part * HOUR)
    found = likely_starts(waiting_for_two(hours), lengths, "gpu", at(0.1))
    return {name: round((start - at(0)) / HOUR, 1) for name, start in found.items()}


def test_a_device_that_is_kept_for_a_promised_place_is_free_for_nobody_who_could_be_in_its_way():
    assert likely_of_two(hours=8, part=1.0) == {"pair": 2.0, "next": 4.0}


def test_a_place_is_kept_until_what_was_in_its_way_has_ended_early():
    assert likely_of_two(hours=8, part=0.5) == {"pair": 1.0, "next": 2.0}


def test_an_owner_likely_starts_when_what_is_borrowed_was_taken_back():
    held = tuple(lease(f"v{i}", f"n1-{i}", user=f"v{i}", until=8) for i in (0, 1))
    rules = catalogue({"vision": (1, 1), "speech": (1, 1)})
    asks = ticket("own", user="bert", project="speech", asked=1)
    world = World(TWO, rules, (asks,), held)
    world = follow(world, plan(world, at(1)), at(1))
    assert likely_starts(world, observed(1.0, profile=""), "gpu", at(1)) == {"own": at(1) + 16 * MINUTE}


def test_who_starts_too_far_ahead_is_left_out():
    tickets = tuple(ticket(f"t{i:03}", user=f"u{i}", asked=i / 1000, hours=8) for i in range(150))
    world = World(ONE, catalogue({"vision": (0, 8)}), tickets, (lease("busy", "n1-0"),))
    found = likely_starts(world, RunLengths(), "gpu", at(1))
    assert len(found) == 100
    assert "t149" not in found


def in_queue(*waiting: Ticket, **shares: tuple[int, int]) -> World:
    """Where an engine with a queue of its own decides: both devices are in use until ten and eleven."""
    held = (lease("one", "n1-0", user="eve", until=1), lease("two", "n1-1", user="eve", until=2))
    places = {each.id: Verdict(each.id, place=number) for number, each in enumerate(waiting, 1)}
    return World(TWO, catalogue(shares or None), waiting, held, verdicts=Verdicts(places))


def likely_in(world: World) -> dict[str, float]:
    """Hours after nine, with runs that last as long as they may."""
    lengths = RunLengths()
    for _ in range(400):
        for user, profile in (("eve", ""), ("ada", "gpu-1"), ("ada", "gpu-2"), ("bert", "gpu-1")):
            lengths.observe(user, profile, HOUR, HOUR)
    found = likely_starts(world, lengths, "gpu", at(0))
    return {name: round((start - at(0)) / HOUR, 1) for name, start in found.items()}


def test_in_a_queue_of_the_engines_nobody_passes_the_first_of_the_line():
    world = in_queue(ticket("pair", gpus=2), ticket("single", asked=0.1))
    assert likely_in(world) == {"pair": 2.0, "single": 4.0}


def test_in_a_queue_of_the_engines_that_lets_pass_who_fits_starts_before_who_does_not():
    # the pair would need both at once, and each comes free only for a single one
    world = in_queue(ticket("pair", gpus=2), ticket("single", asked=0.1), ticket("last", asked=0.2))
    assert world.verdicts is not None
    passing = replace(world, verdicts=replace(world.verdicts, may_pass=True))
    assert likely_in(passing) == {"single": 1.0, "last": 2.0, "pair": 4.0}


def test_in_a_queue_of_the_engines_who_stays_inside_their_own_goes_before_who_borrows():
    owner = ticket("owner", user="bert", project="speech", asked=0.2)
    world = in_queue(ticket("borrower"), owner, vision=(1, 1), speech=(1, 1))
    assert likely_in(world) == {"owner": 1.0, "borrower": 2.0}


def test_in_a_queue_of_the_engines_who_is_over_the_limit_holds_nobody_up():
    mine = lease("mine", "n1-0", user="ada", until=8)
    waiting = (ticket("second", gpus=1), ticket("other", user="bert", asked=0.1))
    places = Verdicts({"second": Verdict("second", place=1), "other": Verdict("other", place=1)})
    world = World(TWO, catalogue(gpus=1), waiting, (mine,), verdicts=places)
    assert likely_in(world)["other"] == 0.0
