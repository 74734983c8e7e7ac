"""What is due on a ticket, at each moment of a server's life. Default times: claim 30 min, restart 5, grace 1."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

import pytest
from labpool.domain.catalogue import QueueRules
from labpool.domain.ends import (
    Action,
    End,
    Kill,
    NoteAbsent,
    NotePresent,
    Nothing,
    Requeue,
    Start,
    Stop,
    TakeBack,
    claim_by,
    due,
    due_in_queue,
    due_unplaced,
    notice_before_end,
    stop_at,
)
from labpool.domain.leases import Lease
from labpool.domain.tickets import EndReason, Event, State, Ticket

from tests.domain.lab import HOUR, MINUTE, NINE, at, catalogue, lease, ticket

RULES = QueueRules()
FRESH = lease("train", "n1-0", user="ada", until=2)
READY = replace(FRESH, ready_at=at(0) + MINUTE, start_tries=1)
GRANTED = replace(ticket("train"), state=State.GRANTED)
RUNNING = replace(ticket("train"), state=State.RUNNING)


def step(held: Lease, whose: Ticket, minutes: float, alive: bool) -> Action:
    return due(held, whose, RULES, NINE + minutes * MINUTE, alive)


def test_a_granted_ticket_is_started():
    assert step(FRESH, GRANTED, 0, alive=False) == Start()


def test_a_failed_start_is_tried_again_up_to_three_times():
    tried = [step(replace(FRESH, start_tries=tries), GRANTED, 1, alive=False) for tries in range(4)]
    assert tried == [Start(), Start(), Start(), End(EndReason.FAILED)]


def test_nothing_is_due_while_a_server_starts_or_waits_for_its_first_use():
    assert step(replace(FRESH, start_tries=1), GRANTED, 5, alive=True) == Nothing()
    assert step(READY, GRANTED, 30, alive=True) == Nothing()


def test_the_claim_window_counts_from_the_server_being_ready():
    assert claim_by(READY, RULES) == at(0.5) + MINUTE
    assert step(READY, GRANTED, 31, alive=True) == Stop()


def test_the_claim_window_never_outlasts_the_lease():
    assert claim_by(replace(READY, ends=at(0.25)), RULES) == at(0.25)


def test_an_unclaimed_server_is_stopped_and_its_devices_taken_back_once():
    stopping = replace(READY, stopping_since=NINE + 31 * MINUTE)
    assert step(stopping, GRANTED, 31.5, alive=True) == Nothing()
    assert step(stopping, GRANTED, 31.6, alive=False) == TakeBack()
    again = replace(GRANTED, unclaimed=1)
    assert step(stopping, again, 31.6, alive=False) == End(EndReason.EXPIRED)


def test_a_grant_that_never_became_a_server_is_not_held_against_the_user_who_could_not_use_it():
    assert step(replace(FRESH, start_tries=1), GRANTED, 31, alive=False) == Start()
    assert step(replace(FRESH, start_tries=3), GRANTED, 31, alive=False) == End(EndReason.FAILED)


def test_a_running_server_is_left_alone_until_its_end_comes_near():
    assert step(READY, RUNNING, 118, alive=True) == Nothing()
    assert step(READY, RUNNING, 119, alive=True) == Stop()


def test_at_its_end_a_server_that_does_not_stop_is_killed_and_keeps_its_lease_until_it_is_gone():
    stopping = replace(READY, stopping_since=NINE + 119 * MINUTE)
    assert step(stopping, RUNNING, 119.5, alive=True) == Nothing()
    assert step(stopping, RUNNING, 120, alive=True) == Kill()
    assert step(stopping, RUNNING, 500, alive=True) == Kill()
    assert step(stopping, RUNNING, 500, alive=False) == End(EndReason.TIME_LIMIT)


def test_a_pool_that_was_down_at_the_end_still_gives_the_server_its_grace():
    assert step(READY, RUNNING, 300, alive=True) == Stop()
    stopping = replace(READY, stopping_since=NINE + 300 * MINUTE)
    assert step(stopping, RUNNING, 300.5, alive=True) == Nothing()
    assert step(stopping, RUNNING, 301, alive=True) == Kill()


def test_a_server_that_stops_in_its_grace_ends_by_the_time_limit():
    stopping = replace(READY, stopping_since=NINE + 119 * MINUTE)
    assert step(stopping, RUNNING, 119.2, alive=False) == End(EndReason.TIME_LIMIT)


def test_a_lease_whose_end_has_come_with_nothing_running_ends_by_the_time_limit():
    assert step(READY, RUNNING, 120, alive=False) == End(EndReason.TIME_LIMIT)
    assert step(FRESH, GRANTED, 120, alive=False) == End(EndReason.TIME_LIMIT)


def test_a_server_that_a_person_stopped_ends_as_stopped_once_it_is_gone():
    stopping = replace(READY, stopping_since=at(1))
    assert step(stopping, RUNNING, 60.5, alive=True) == Nothing()
    assert step(stopping, RUNNING, 61, alive=True) == Kill()
    assert step(stopping, RUNNING, 61, alive=False) == End(EndReason.STOPPED)
    assert step(replace(stopping, stopping_since=NINE + MINUTE), GRANTED, 2, alive=False) == End(EndReason.STOPPED)


def test_a_dead_server_keeps_its_lease_for_the_restart_time():
    assert step(READY, RUNNING, 60, alive=False) == NoteAbsent()
    gone = replace(READY, absent_since=at(1))
    assert step(gone, RUNNING, 64.9, alive=False) == Nothing()
    assert step(gone, RUNNING, 65, alive=False) == End(EndReason.LOST)


def test_a_dead_server_that_came_back_is_present_again():
    assert step(replace(READY, absent_since=at(1)), RUNNING, 63, alive=True) == NotePresent()


def test_the_restart_time_never_outlasts_the_lease():
    gone = replace(READY, absent_since=NINE + 118 * MINUTE)
    assert step(gone, RUNNING, 119, alive=False) == End(EndReason.TIME_LIMIT)


def test_a_lease_shorter_than_its_grace_runs_for_half_of_its_time_at_least():
    short = replace(FRESH, ends=NINE + timedelta(seconds=10))
    assert stop_at(short, RULES) == NINE + timedelta(seconds=5)


def test_every_due_end_is_one_that_the_table_allows():
    leases = (FRESH, READY, replace(READY, absent_since=at(0)), replace(READY, stopping_since=at(1)))
    owners = (GRANTED, RUNNING, replace(GRANTED, unclaimed=1), replace(RUNNING, state=State.RECLAIMING))
    for held, whose, minutes in product(leases, owners, range(0, 130, 5)):
        match step(held, whose, minutes, alive=False):
            case End(reason):
                whose.after(Event.END, at(2), reason)
            case TakeBack():
                whose.after(Event.UNCLAIMED, at(2))


@pytest.mark.parametrize(
    ("minutes", "notice"), [(104, None), (105, 15), (114, 15), (115, 5), (119, 5), (200, 5)], ids=str
)
def test_notices_come_fifteen_and_five_minutes_before_the_end(minutes: int, notice: int | None):
    expected = None if notice is None else notice * MINUTE
    assert notice_before_end(READY, RULES, NINE + minutes * MINUTE) == expected


def test_a_short_lease_leaves_out_the_notices_that_are_longer():
    ten_minutes = replace(FRESH, ends=NINE + 10 * MINUTE)
    assert notice_before_end(ten_minutes, RULES, NINE) is None
    assert notice_before_end(ten_minutes, RULES, NINE + 5 * MINUTE) == 5 * MINUTE


def queued_step(whose: Ticket, now: datetime = NINE) -> Action:
    return due_in_queue(whose, catalogue(), now)


def test_a_queued_ticket_waits_as_long_as_it_takes():
    assert queued_step(ticket("train"), NINE + 1000 * HOUR) == Nothing()


def test_a_ticket_that_is_never_said_ready_expires_after_a_day():
    unready = replace(ticket("away"), ready=False, unclaimed=1, changed_at=at(1))
    assert queued_step(unready, at(24.9)) == Nothing()
    assert queued_step(unready, at(25)) == End(EndReason.EXPIRED)


def test_a_queued_ticket_ends_with_its_project_profile_or_membership():
    assert queued_step(ticket("train", project="gone")) == End(EndReason.PROJECT_REMOVED)
    assert queued_step(replace(ticket("train"), profile="gone")) == End(EndReason.PROFILE_REMOVED)
    closed = replace(catalogue().projects["vision"], everyone=False)
    rules = replace(catalogue(), projects={"vision": closed})
    assert due_in_queue(ticket("train"), rules, NINE) == End(EndReason.NO_LONGER_MEMBER)


def unplaced(held: Lease, whose: Ticket, minutes: float, since: float = 0) -> Action | None:
    return due_unplaced(held, whose, RULES, NINE + minutes * MINUTE, NINE + since * MINUTE)


def test_a_server_without_room_gives_its_devices_back_after_half_a_minute_and_nothing_is_booked():
    assert unplaced(FRESH, GRANTED, 0.4) is None
    assert unplaced(FRESH, GRANTED, 0.5) == Requeue(GRANTED.duration, FRESH.starts, unplaced=True)


def test_one_that_ran_before_is_in_line_for_the_rest_if_it_starts_again():
    left = RUNNING.duration - 10 * MINUTE
    assert unplaced(FRESH, RUNNING, 11, since=10) == Requeue(left, NINE + 10 * MINUTE, unplaced=True)
    assert unplaced(FRESH, replace(RUNNING, starts_again=False), 11, since=10) is None


def test_the_wait_counts_from_the_lease_at_the_earliest():
    assert unplaced(FRESH, GRANTED, 0.4, since=-60) is None


def test_what_ends_anyway_is_left_to_that():
    assert unplaced(FRESH, GRANTED, 119.5) is None
    assert unplaced(replace(FRESH, stopping_since=NINE), GRANTED, 5) is None
    assert unplaced(FRESH, replace(RUNNING, state=State.RECLAIMING), 5) is None
