from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from labpool.domain.simulation.recorded import Fate, Past, Recording, Stay, Step, record
from labpool.domain.tickets import EndReason, Event, Priority, State, Ticket

from tests.domain.lab import HOUR, at, ticket

NOW = at(24)
ADA = ticket("ada", gpus=2, hours=4, asked=1)


def stay(start: float, end: float, over: float | None) -> Stay:
    """A lease from and to so many hours after nine, and when it was over."""
    return Stay(at(start), at(end), None if over is None else at(over))


def steps(*pairs: tuple[float, Step]) -> tuple[tuple[datetime, Step], ...]:
    return tuple((at(hours), step) for hours, step in pairs)


def stopped(asked: Ticket, hours: float) -> Ticket:
    return replace(asked, state=State.ENDED, end_reason=EndReason.STOPPED, changed_at=at(hours))


def recorded(*pasts: Past, since: float | None = None, until: float | None = None) -> Recording:
    recording = record(pasts, NOW, None if since is None else at(since), None if until is None else at(until))
    assert recording is not None
    return recording


def test_run_is_told_with_what_was_asked_and_what_was_used():
    asked = replace(ADA, priority=Priority.BATCH)
    recording = recorded(Past(stopped(asked, 4), (stay(2, 6, 4),), steps((2, Step.GRANTED))))
    [arrival] = recording.arrivals
    assert (arrival.user, arrival.project, arrival.gpus, arrival.flavour) == ("ada", "vision", 2, "gpu")
    assert (arrival.submit_s, arrival.wall_s, arrival.run_s) == (0, 4 * 3600, 2 * 3600)
    assert (arrival.priority, arrival.profile) == (Priority.BATCH, "gpu-2")
    assert (arrival.cancel_s, arrival.ends_s) == (None, (3 * 3600,))
    assert (recording.begins, recording.fates) == (at(1), Counter({Fate.RAN: 1}))


def test_who_left_the_line_held_a_place_until_then():
    left = ADA.after(Event.END, at(3), EndReason.CANCELLED)
    [arrival] = recorded(Past(left)).arrivals
    assert (arrival.cancel_s, arrival.run_s) == (2 * 3600, 4 * 3600)


def test_what_is_not_known_yet_disturbs_nobody():
    runs = ticket("bert", hours=3, asked=2).after(Event.GRANT, at(2))
    recording = recorded(Past(ADA), Past(runs, (stay(2, 5, None),), steps((2, Step.GRANTED))))
    waits, running = recording.arrivals
    assert (waits.cancel_s, running.cancel_s) == ((NOW - at(1)) / timedelta(seconds=1), None)
    assert running.run_s == 3 * 3600
    assert recording.fates == Counter({Fate.WAITS: 1, Fate.RUNS: 1})


def test_run_that_was_taken_back_is_one_request_with_all_its_hours():
    asked = replace(stopped(ADA, 8), duration=3 * HOUR)  # of the four
    told = steps((1, Step.GRANTED), (2, Step.REQUEUED), (6, Step.GRANTED))
    [arrival] = recorded(Past(asked, (stay(1, 2, 1.9), stay(6, 9, 8)), told)).arrivals
    assert (arrival.wall_s, arrival.run_s) == (4 * 3600, (1 + 2) * 3600)
    assert arrival.ends_s == (0.9 * 3600, 7 * 3600)


def test_unused_grant_and_saying_ready_are_two_requests():
    told = steps((1, Step.GRANTED), (1.5, Step.UNCLAIMED), (3, Step.READY), (4, Step.GRANTED))
    recording = recorded(Past(stopped(ADA, 6), (stay(1, 5, 1.5), stay(4, 8, 6)), told))
    unused, used = recording.arrivals
    assert (unused.submit_s, unused.run_s) == (0, 1800)
    assert (used.submit_s, used.run_s, used.wall_s) == (2 * 3600, 2 * 3600, 4 * 3600)
    assert recording.fates == Counter({Fate.UNUSED: 1, Fate.RAN: 1})


def test_who_never_said_ready_was_not_in_line_after_that():
    expired = replace(ADA, state=State.ENDED, end_reason=EndReason.EXPIRED, changed_at=at(20))
    told = steps((1, Step.GRANTED), (1.5, Step.UNCLAIMED))
    [arrival] = recorded(Past(expired, (stay(1, 5, 1.5),), told)).arrivals
    assert (arrival.run_s, arrival.cancel_s) == (1800, None)


def test_span_takes_requests_in_it_and_counts_those_that_were_under_way():
    pasts = [Past(ticket(name, user=name, asked=hours)) for name, hours in (("ada", 1), ("bert", 2), ("lin", 3))]
    recording = recorded(*pasts, Past(stopped(ticket("eve", asked=0), 0.5)), since=2, until=3)
    assert [arrival.user for arrival in recording.arrivals] == ["bert"]
    assert recording.under_way == 1
    assert record(pasts, NOW, at(5), None) is None
