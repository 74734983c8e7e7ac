"""Who watches is shown what is new in turn, and whom it is about at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

import pytest
from fastapi import Request
from labpool.service import watching
from labpool.service.changes import Changes

from tests.service.lab import Lab

PATIENCE = 30.0


async def _render(changes: Changes, about: str, rendered: list[str], until: asyncio.Event | None = None) -> None:
    with changes.turns.watching(about) as concerned:
        async with changes.turns.turn(concerned, PATIENCE) as is_mine:
            assert is_mine
            if until is not None:
                await until.wait()
            rendered.append(about)


async def test_a_watcher_waits_while_another_one_is_shown_something():
    changes, rendered, go_on = Changes(), list[str](), asyncio.Event()
    slow = asyncio.create_task(_render(changes, "t1", rendered, go_on))
    await asyncio.sleep(0)
    quick = asyncio.create_task(_render(changes, "t2", rendered))
    await asyncio.sleep(0.05)
    assert rendered == []
    go_on.set()
    await asyncio.gather(slow, quick)
    assert rendered == ["t1", "t2"]


async def test_whom_a_change_is_about_need_not_wait():
    changes, rendered, go_on = Changes(), list[str](), asyncio.Event()
    slow = asyncio.create_task(_render(changes, "t1", rendered, go_on))
    await asyncio.sleep(0)
    others = [asyncio.create_task(_render(changes, ticket, rendered)) for ticket in ("t2", "t3")]
    await asyncio.sleep(0)
    changes.announce({"t3"})
    await others[1]
    assert rendered == ["t3"]
    go_on.set()
    await asyncio.gather(slow, *others)
    assert rendered == ["t3", "t1", "t2"]


async def test_who_has_no_turn_in_time_is_told_so_and_keeps_nobody_waiting():
    changes, rendered, go_on = Changes(), list[str](), asyncio.Event()
    slow = asyncio.create_task(_render(changes, "t1", rendered, go_on))
    await asyncio.sleep(0)
    with changes.turns.watching("t2") as concerned:
        async with changes.turns.turn(concerned, 0.01) as is_mine:
            assert not is_mine
    go_on.set()
    await slow
    await _render(changes, "t3", rendered)
    assert rendered == ["t1", "t3"]


def test_what_time_alone_changes_is_shown_too(lab: Lab, new_user: Callable[[], str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(watching, "_AGAIN_SECONDS", 0.02)
    user, rendered = new_user(), count(1)
    token = lab.hub.api("POST", f"/users/{user}/tokens", {"note": "test"}).json()["token"]
    headers = [(b"authorization", f"Bearer {token}".encode())]
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers})

    latest = watching.Latest("ticket")

    async def look(_: object) -> watching.News:
        return latest.news(str(next(rendered)))

    async def shown() -> list[str | None]:
        events: list[str | None] = []
        async for event in watching.watch(request, lab.pool.parts, "t1", look):
            events += [event.raw_data] if event.event == "ticket" else []
            if len(events) == 3:
                break
        return events

    assert lab.pool.call(shown()) == ["1", "2", "3"]
