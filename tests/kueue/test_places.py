"""When Kueue is asked for the places of those who wait; it is an API server in memory that answers here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from labpool.cluster import ClusterApi, ClusterUnavailable
from labpool.kueue import places
from labpool.kueue.places import Places
from labpool.kueue.workloads import Condition, Workload

from tests.domain.lab import NINE

FIRST = Workload("ticket-first", "u1", "1", "vision", 300, NINE, "p1", "first")
SECOND = replace(FIRST, name="ticket-second", uid="u2", ticket="second")
FOREIGN = replace(FIRST, name="foreign", uid="u3", queue="speech", pool="", ticket="")


class VisibilityInMemory:
    """Tells the line that a test has written, or that there is none."""

    def __init__(self) -> None:
        self.line = ["ticket-first"]
        self.asked: list[str] = []
        self.status, self.answers, self.now = 200, True, 0.0

    async def ask(self, _: str, path: str, __: object) -> tuple[int, Mapping[str, Any]]:
        self.asked.append(path.split("/")[-2])
        if not self.answers:
            raise ClusterUnavailable("it is away")
        items = [{"metadata": {"name": name}, "positionInLocalQueue": number} for number, name in enumerate(self.line)]
        return self.status, {"items": items, "message": "forbidden"}


@pytest.fixture
def kueue(monkeypatch: pytest.MonkeyPatch) -> VisibilityInMemory:
    told = VisibilityInMemory()
    monkeypatch.setattr(places, "time", SimpleNamespace(monotonic=lambda: told.now))
    return told


@pytest.fixture
def line(kueue: VisibilityInMemory) -> Places:
    return Places(cast(ClusterApi, kueue), "servers")


def ask(line: Places, *workloads: Workload) -> dict[str, int]:
    asyncio.run(line.ask(workloads, "p1"))
    return line.of


def test_unchanged_line_is_asked_for_once_and_then_now_and_then(kueue: VisibilityInMemory, line: Places):
    for _ in range(3):
        assert ask(line, FIRST, FOREIGN) == {"ticket-first": 1}
    # Kueue changes what it says of one that waits at each of its turns
    assert ask(line, replace(FIRST, version="2", conditions=(Condition("QuotaReserved", "False"),))) != {}
    assert kueue.asked == ["vision"]
    kueue.now = 31.0
    assert ask(line, FIRST) == {"ticket-first": 1}
    assert kueue.asked == ["vision", "vision"]


def test_line_that_has_changed_is_asked_for_until_kueue_has_seen_that_too(kueue: VisibilityInMemory, line: Places):
    ask(line, FIRST)
    assert ask(line, FIRST, SECOND) == {"ticket-first": 1}
    kueue.line = ["ticket-first", "ticket-second"]
    for _ in range(3):
        assert ask(line, FIRST, SECOND) == {"ticket-first": 1, "ticket-second": 2}
    assert len(kueue.asked) == 3
    again = replace(FIRST, conditions=(Condition("Requeued", "True", since="2026-03-02T09:00:00Z"),))
    kueue.line = ["ticket-second", "ticket-first"]
    assert ask(line, again, SECOND) == {"ticket-first": 2, "ticket-second": 1}


def test_places_are_forgotten_with_the_line_and_a_refusal_is_told(kueue: VisibilityInMemory, line: Places):
    ask(line, FIRST)
    assert ask(line, FOREIGN) == {}
    kueue.status = 403
    for _ in range(2):
        assert ask(line, FIRST) == {}
        assert "forbidden" in (line.refusal or "")


def test_kueue_that_tells_nothing_is_asked_again_later(kueue: VisibilityInMemory, line: Places):
    kueue.answers = False
    assert ask(line, FIRST) == ask(line, FIRST) == {}
    assert len(kueue.asked) == 1
    kueue.answers, kueue.now = True, 31.0
    assert ask(line, FIRST) == {"ticket-first": 1}
