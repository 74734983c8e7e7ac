"""GPU-hours in each period: where a run counts, who can start when, and what people are told. Times are UTC."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.budgets import Accounts, Budget, Per, Spent, costs, hours, work
from labpool.domain.catalogue import Catalogue
from labpool.domain.explain import why_waiting
from labpool.domain.inventory import Condition
from labpool.domain.leases import Lease
from labpool.domain.likely import likely_starts
from labpool.domain.planned_schedule import schedule_of
from labpool.domain.planner import Planner, plan
from labpool.domain.reasons import ExtensionReason, Refusal, RefusalReason, WaitReason
from labpool.domain.requests import Request, check_request
from labpool.domain.run_lengths import RunLengths
from labpool.domain.sentences import wait_sentence
from labpool.domain.sooner import sooner
from labpool.domain.timeline import FOREVER
from labpool.domain.world import World

from tests.domain.lab import HOUR, MINUTE, NINE, add, at, catalogue, end, follow, inventory, lease, starts, ticket
from tests.domain.test_extending import longest, mine, pool, refused, running

FOUR = inventory({"n1": 4})
DAY = Budget(10, Per.DAY)
MIDNIGHT = datetime(2026, 3, 3, tzinfo=timezone.utc)
"""The day's end is fifteen hours after nine."""


def limited(hours_a_day: float = 10, per: Per = Per.DAY) -> Catalogue:
    rules = catalogue({"vision": (4, 0), "speech": (4, 0)}, gpus=9)
    vision = replace(rules.projects["vision"], budget=Budget(hours_a_day, per))
    return replace(rules, projects={**rules.projects, "vision": vision})


def lab(*waiting: tuple[str, int, float], held: tuple[Lease, ...] = (), spent: float = 0, budget: float = 10) -> World:
    """Tickets by (name, GPUs, hours), each of a user of its own."""
    tickets = tuple(ticket(name, user=name, gpus=gpus, hours=long) for name, gpus, long in waiting)
    used = Spent().with_run(DAY, "vision", work(1, 1.0), NINE - spent * HOUR, NINE)
    return World(FOUR, limited(budget), tickets, held, spent=used)


@pytest.mark.parametrize(
    ("per", "start", "end"),
    [
        (Per.DAY, datetime(2026, 3, 29), datetime(2026, 3, 30)),  # the clock goes forward on that day
        (Per.WEEK, datetime(2026, 3, 23), datetime(2026, 3, 30)),
        (Per.MONTH, datetime(2026, 3, 1), datetime(2026, 4, 1)),
        (Per.YEAR, datetime(2026, 1, 1), datetime(2027, 1, 1)),
    ],
)
def test_a_period_is_one_of_the_calendar_in_its_own_zone(per: Per, start: datetime, end: datetime):
    zone = ZoneInfo("Europe/Berlin")
    period = Budget(1, per, zone).period(datetime(2026, 3, 29, 12, tzinfo=timezone.utc))
    assert period == (start.replace(tzinfo=zone), end.replace(tzinfo=zone))


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.sampled_from(Per))
def test_periods_follow_each_other_without_a_gap(minutes: int, long: int, per: Per):
    zone = ZoneInfo("Europe/Berlin")
    budget, start = Budget(1, per, zone), NINE + minutes * MINUTE
    first = budget.period(start)
    assert first.start <= start < first.end
    assert budget.period(first.end).start == first.end
    units = [cost.work for cost in costs("vision", budget, work(3, 0.5), start, start + long * MINUTE)]
    assert hours(sum(units)) == pytest.approx(long / 60 * 1.5)
    assert all(units)


def test_a_run_counts_in_the_periods_in_which_it_lies():
    found = list(costs("vision", DAY, work(2, 1.5), MIDNIGHT - HOUR, MIDNIGHT + 2 * HOUR))
    assert [(cost.account[1], hours(cost.work)) for cost in found] == [(MIDNIGHT - 24 * HOUR, 3), (MIDNIGHT, 6)]


def booked(today: float, tomorrow: float = 0) -> Counter[tuple[str, datetime]]:
    unit = work(1, 1.0) * (HOUR // timedelta(microseconds=1))
    days = {MIDNIGHT - 24 * HOUR: today, MIDNIGHT: tomorrow}
    return Counter({("vision", day): round(used * unit) for day, used in days.items()})


@pytest.mark.parametrize(
    ("used", "long", "start"),
    [
        (booked(0), 10, NINE),
        (booked(8), 2, NINE),
        (booked(8), 3, MIDNIGHT - 2 * HOUR),  # two hours today, the third tomorrow
        (booked(10), 3, MIDNIGHT),
        (booked(12), 3, MIDNIGHT),
        (booked(10, 10), 3, MIDNIGHT + 24 * HOUR),
        (booked(10, 9), 3, MIDNIGHT + 23 * HOUR),
        (booked(0), 20, MIDNIGHT - 10 * HOUR),
        (booked(0), 21, FOREVER),
    ],
)
def test_a_run_starts_when_each_period_has_enough_for_its_part(
    used: Counter[tuple[str, datetime]], long: float, start: datetime
):
    accounts = Accounts({"vision": DAY})
    assert accounts.affordable_from(used, "vision", work(1, 1.0), NINE, long * HOUR) == start


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 20), st.integers(0, 40))
def test_no_earlier_start_can_be_paid_for(today: int, tomorrow: int, long: int, earlier: int):
    accounts, used = Accounts({"vision": DAY}), booked(today, tomorrow)
    found = accounts.affordable_from(used, "vision", work(1, 1.0), NINE, long * HOUR)
    before = min(found, MIDNIGHT + 72 * HOUR) - (earlier + 1) * 15 * MINUTE
    again = accounts.affordable_from(used, "vision", work(1, 1.0), max(before, NINE), long * HOUR)
    assert again == found or before < NINE


def test_what_is_set_aside_counts_and_who_waits_for_the_budget_is_promised_the_next_day():
    world = lab(("first", 2, 4), ("second", 1, 4))
    decided = plan(world, at(0))
    assert starts(decided) == {"first": at(0), "second": MIDNIGHT - 2 * HOUR}  # two hours of ten are left
    assert decided.promises == {"second": MIDNIGHT - 2 * HOUR}


def test_the_budget_of_one_project_keeps_nobody_else_waiting():
    other = ticket("other", user="x", project="speech", gpus=3, hours=8)
    decided = plan(add(lab(("first", 1, 8), ("second", 1, 8)), other), at(0))
    assert {grant.ticket for grant in decided.grants} == {"first", "other"}


def test_what_a_run_leaves_over_goes_back_to_its_project():
    planner = Planner()
    world = lab(("first", 2, 5), ("second", 1, 4))
    world = follow(world, planner.plan(world, at(0)), at(0))
    rate, day = work(2, 1.0), limited().projects["vision"].budget
    assert day is not None
    after = replace(end(world, "first"), spent=Spent().with_run(day, "vision", rate, at(0), at(1)))
    assert [grant.ticket for grant in planner.plan(after, at(1)).grants] == ["second"]


def test_runs_of_earlier_count():
    assert starts(plan(lab(("next", 1, 4), spent=7), at(0))) == {"next": MIDNIGHT - 3 * HOUR}


def test_a_new_day_lets_start_whom_the_budget_kept_waiting():
    planner = Planner()
    world = lab(("next", 1, 10), spent=9)
    world = follow(world, planner.plan(world, at(0)), at(0))
    assert planner.plan(world, at(1)).looks_at == MIDNIGHT - HOUR
    decided = planner.plan(world, MIDNIGHT - HOUR)
    assert [grant.ticket for grant in decided.grants] == ["next"]


def test_a_start_that_comes_a_little_late_breaks_no_promise_of_the_next_day():
    world = lab(("late", 1, 5), ("full", 1, 8), ("more", 1, 2), spent=5)
    world = follow(world, plan(world, at(0)), at(0))
    first = min(world.slots, key=lambda slot: slot.start)
    late = first.start + MINUTE / 2
    decided = plan(world, late)
    assert [grant.ticket for grant in decided.grants] == [first.ticket]
    assert decided.broken == ()
    world = follow(world, decided, late)
    assert plan(world, late + HOUR).broken == ()


def test_a_lowered_budget_ends_nothing_and_breaks_promises_in_its_name():
    world = lab(("first", 1, 6), ("second", 1, 4), ("third", 1, 8))
    world = follow(world, plan(world, at(0)), at(0))
    assert {held.ticket for held in world.leases} == {"first", "second"}
    lower = replace(world, catalogue=limited(8))
    decided = plan(lower, at(1))
    assert [(broken.ticket, broken.cause.value) for broken in decided.broken] == []  # it fits a day of eight hours
    lower = replace(world, catalogue=limited(3))
    assert [(b.ticket, b.planned, b.cause.value) for b in plan(lower, at(1)).broken] == [
        ("third", None, "admin_change")
    ]


def test_who_waits_for_the_budget_is_told_how_much_is_left_and_until_when():
    world = lab(("next", 2, 4), spent=7)
    world = follow(world, plan(world, at(0)), at(0))
    wait = why_waiting(world.tickets[0], world, at(0))
    assert wait is not None
    assert (wait.reason, wait.hours_left, wait.renewed) == (WaitReason.BUDGET, 3, MIDNIGHT)
    told = wait_sentence(world.tickets[0], wait, world.catalogue, timezone.utc, at(0))
    assert told.message == (
        "You wait because Vision group has 3 GPU-hours of this day left that are not set aside, and you ask for 8; "
        "its budget begins anew at Tue 3 Mar, 00:00 UTC."
    )
    assert told.remedy.startswith("Ask for less time to start sooner")
    assert [(offer.profile.name, offer.duration) for offer in sooner(world.tickets[0], world, at(0))][:2] == [
        ("gpu-2", 1.5 * HOUR),
        ("gpu-1", 3 * HOUR),
    ]
    assert likely_starts(world, RunLengths(), "gpu", at(0)) == {"next": world.slots[0].start}


def test_more_than_a_whole_period_has_is_refused():
    asked = Request("ada", frozenset(), "s", "vision", "gpu-2", 6 * HOUR)
    answer = check_request(asked, limited(), FOUR, ())
    assert isinstance(answer, Refusal)
    assert answer.reason is RefusalReason.OVER_BUDGET
    assert answer.message == "You ask for 12 GPU-hours (2 GPU); Vision group has 10 in each day."
    assert not isinstance(check_request(replace(asked, duration=5 * HOUR), limited(), FOUR, ()), Refusal)


def test_what_leases_have_set_aside_is_theirs_until_their_end():
    held = (lease("long", "n1-0", until=8),)
    assert starts(plan(lab(("next", 1, 4), held=held), at(1))) == {"next": MIDNIGHT - 2 * HOUR}


def test_the_budget_pays_for_an_extension_too():
    rules = catalogue()
    vision = replace(rules.projects["vision"], budget=Budget(6, Per.DAY))
    world = replace(pool(mine(until=4)), catalogue=replace(rules, projects={"vision": vision}))
    assert longest(world) == 2 * HOUR
    told = refused(world, 3)
    assert (told.reason, told.until) == (ExtensionReason.BUDGET, at(6))
    assert told.message == "Vision group has too few GPU-hours left in its budget for more."


def test_what_is_set_aside_for_a_lease_on_a_silent_machine_stays_so_until_it_is_over():
    held = lease("train", "n1-0", "n1-1", until=4)
    machines = {True: Condition.SILENT, False: Condition.SERVING}
    for silent, condition in machines.items():
        hardware = inventory({"n1": 2, "n2": 2}, n1=condition)
        world = World(hardware, limited(10), (running(held), ticket("next", user="x", hours=8, asked=1)), (held,))
        assert hours(schedule_of(world, at(1)).payments.left("vision", at(1))) == 2, silent
        assert plan(world, at(1)).grants == ()
