"""Which notices are worth sending, and which are still true later."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from labpool.domain.leases import Lease
from labpool.domain.notices import NoticeKind, still_true, worth_sending
from labpool.domain.tickets import EndReason, Event, Ticket

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
QUEUED = Ticket("t1", "ada", frozenset(), "", "vision", "gpu-1", "demo-gpu", 1, HOUR, NOW)
GRANTED = QUEUED.after(Event.GRANT, NOW)
RUNNING = GRANTED.after(Event.FIRST_USE, NOW)
LEASE = Lease("t1", "ada", "", "vision", "demo-gpu", ("demo-0",), NOW, NOW + HOUR)


def test_a_grant_is_worth_sending_to_who_waited_for_it():
    assert not worth_sending(NoticeKind.GRANTED, GRANTED, NOW + timedelta(seconds=5))
    assert worth_sending(NoticeKind.GRANTED, GRANTED, NOW + timedelta(minutes=5))
    assert worth_sending(NoticeKind.GRANTED, replace(GRANTED, attempt=2), NOW)
    assert worth_sending(NoticeKind.PROMISE_BROKEN, QUEUED, NOW)


@pytest.mark.parametrize(
    ("kind", "ticket", "lease", "true"),
    [
        (NoticeKind.GRANTED, GRANTED, LEASE, True),
        (NoticeKind.GRANTED, RUNNING, LEASE, False),
        (NoticeKind.GRANTED, GRANTED, replace(LEASE, ends=NOW + 2 * HOUR), False),
        (NoticeKind.ENDING, RUNNING, LEASE, True),
        (NoticeKind.ENDING, RUNNING, replace(LEASE, ends=NOW + 2 * HOUR), False),
        (NoticeKind.ENDING, RUNNING.after(Event.END, NOW, EndReason.STOPPED), None, False),
        (NoticeKind.UNCLAIMED, GRANTED.after(Event.UNCLAIMED, NOW), None, True),
        (NoticeKind.UNCLAIMED, GRANTED.after(Event.UNCLAIMED, NOW).said_ready(NOW), None, False),
        (NoticeKind.PROMISE_BROKEN, QUEUED, None, True),
        (NoticeKind.PROMISE_BROKEN, GRANTED, LEASE, False),
        (NoticeKind.LOST, QUEUED, None, True),
        (NoticeKind.NEAR, QUEUED, None, True),
        (NoticeKind.LIKELY_CHANGED, QUEUED, None, True),
        (NoticeKind.LIKELY_CHANGED, RUNNING, LEASE, False),
        (NoticeKind.NEAR, GRANTED, LEASE, False),
    ],
)
def test_what_is_not_true_any_more(kind: NoticeKind, ticket: Ticket, lease: Lease | None, true: bool):
    assert still_true(kind, NOW + HOUR, ticket, lease, NOW) is true


def test_an_end_that_is_past_is_no_news():
    assert not still_true(NoticeKind.ENDING, LEASE.ends, RUNNING, LEASE, LEASE.ends)
