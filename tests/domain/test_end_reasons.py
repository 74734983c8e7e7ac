"""How tickets end: every reason there is comes about, through what the pool really does, and is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from labpool.domain.ends import Action, End, due, due_in_queue
from labpool.domain.sentences import ended_sentence
from labpool.domain.tickets import EndReason, State
from labpool.service.asking import Waits
from labpool.service.in_line import leave_line

from tests.domain.counter import Counter
from tests.domain.lab import NINE, at, catalogue, lease, ticket

RUNNING = replace(ticket("train"), state=State.RUNNING)
GRANTED = replace(ticket("train"), state=State.GRANTED)
HELD = replace(lease("train", "n1-0", user="ada"), ready_at=NINE)


def after(hours: float, **changes: Any) -> Action:
    """What is due on a lease of which nothing runs."""
    whose = changes.pop("whose", RUNNING)
    held = replace(HELD, **changes)
    return due(held, whose, catalogue().queue, at(hours), alive=False)


def in_queue(**changes: Any) -> Action:
    """What is due on a queued ticket of a project with members."""
    closed = replace(catalogue().projects["vision"], everyone=False, users=frozenset({"ada"}))
    waiting = replace(ticket("train"), **changes)
    return due_in_queue(waiting, replace(catalogue(), projects={"vision": closed}), at(25))


def left_by(actor: str, folder: Path) -> Action:
    """A queued ticket that somebody takes out of the queue."""
    counter = Counter(folder).given(n1=1)
    counter.ask(user="lin")
    waits = counter.ask()
    assert isinstance(waits, Waits)
    asyncio.run(leave_line(counter.desk, waits.ticket.id, actor))
    ended = asyncio.run(counter.desk.find(waits.ticket.id))
    assert ended
    assert ended.end_reason
    return End(ended.end_reason)


TAKEN = replace(RUNNING, state=State.RECLAIMING, starts_again=False)
ENDS: dict[EndReason, Callable[[Path], Action]] = {
    EndReason.STOPPED: lambda _: after(1, stopping_since=at(1)),
    EndReason.CANCELLED: lambda folder: left_by("ada", folder),
    EndReason.EXPIRED: lambda _: in_queue(ready=False, unclaimed=1, changed_at=NINE),
    EndReason.FAILED: lambda _: after(0.1, whose=GRANTED, start_tries=3),
    EndReason.PREEMPTED: lambda _: after(1, whose=TAKEN, ends=at(1)),
    EndReason.TIME_LIMIT: lambda _: after(2),
    EndReason.LOST: lambda _: after(1.5, absent_since=at(1)),
    EndReason.NO_LONGER_MEMBER: lambda _: in_queue(user="eve"),
    EndReason.PROFILE_REMOVED: lambda _: in_queue(profile="gone"),
    EndReason.PROJECT_REMOVED: lambda _: in_queue(project="gone"),
    EndReason.ENDED_BY_ADMIN: lambda folder: left_by("root", folder),
}


@pytest.mark.parametrize("member", EndReason)
def test_every_end_comes_about_and_is_said(member: EndReason, tmp_path: Path):
    assert ENDS[member](tmp_path) == End(member)
    assert ended_sentence(member).endswith(".")
