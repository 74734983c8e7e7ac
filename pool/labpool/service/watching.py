"""Live streams: what a watcher sees is rendered anew after each change and sent where it differs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import Request
from fastapi.sse import ServerSentEvent

from labpool.hub_signin import RequestRefused, SignedIn
from labpool.service.access import person_watching
from labpool.service.changes import Changes
from labpool.service.parts import Parts

HEARTBEAT_SECONDS = 5.0
"""The proxy keeps a browser's stream open and silent when the pool dies: silence for longer means a dead stream."""


_AGAIN_SECONDS = 60.0
"""What time alone changes, such as an estimate, is shown so late at the latest."""


async def watch(
    request: Request, pool: Parts, event: str, about: str, render: Callable[[], Awaitable[str]]
) -> AsyncIterator[ServerSentEvent]:
    """Send `render`'s text as `event` now and whenever it has changed; a `heartbeat` event otherwise.

    It is rendered anew after each change, and each minute without one.

    A change that is `about` that ticket or user is shown at once, others in turn with all who watch. The stream ends
    when who asked for it signs out or loses the token.
    """
    changes, clock = pool.changes, asyncio.get_running_loop().time
    sent: str | None = None
    seen, again_at = changes.count - 1, 0.0
    with changes.turns.watching(about) as concerned:
        while True:
            is_due = changes.count > seen or clock() >= again_at
            new = await _in_turn(changes, concerned, render) if is_due else None
            again_at = clock() + _AGAIN_SECONDS if new else again_at
            if await _has_signed_out(request, pool):
                return
            seen, shown = new or (seen, sent)
            if shown is not None and shown != sent:
                yield ServerSentEvent(raw_data=(sent := shown), event=event)
            else:
                yield ServerSentEvent(raw_data="", event="heartbeat")
            if changes.count <= seen:
                await changes.after(seen, HEARTBEAT_SECONDS)


async def _in_turn(
    changes: Changes, concerned: asyncio.Event, render: Callable[[], Awaitable[str]]
) -> tuple[int, str] | None:
    """What is shown now, and how many changes there had been; None where it is not one's turn before a heartbeat."""
    async with changes.turns.turn(concerned, HEARTBEAT_SECONDS) as is_mine:
        return (changes.count, await render()) if is_mine else None


async def _has_signed_out(request: Request, pool: Parts) -> bool:
    try:
        await person_watching(request, pool)
    except RequestRefused as refused:
        return refused.response.status_code == 401  # a hub that doesn't answer is no reason to go dark
    return False


async def notices_of(user: SignedIn, request: Request, pool: Parts) -> AsyncIterator[ServerSentEvent]:
    """The newest notice of the user's open tickets, as JSON, whenever another one is the newest; none for a service."""

    async def newest() -> str:
        tickets = (await pool.viewer.home(user.name)).tickets if user.kind == "user" else ()
        notices = [ticket.notice for ticket in tickets if ticket.notice]
        return max(notices, key=lambda notice: notice.at).model_dump_json() if notices else ""

    async for event in watch(request, pool, "notice", user.name, newest):
        yield event
