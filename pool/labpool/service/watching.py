"""Live streams: after each change it is looked what is new for a watcher, and that is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

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


class News(NamedTuple):
    """What a watcher is shown next; no events where there is nothing new. `is_last`: there will never be more."""

    events: tuple[ServerSentEvent, ...] = ()
    is_last: bool = False


class Latest:
    """A text that is sent as an event of this name whenever it is another one."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._sent: str | None = None

    def news(self, text: str, is_last: bool = False) -> News:
        """The text as it is now, where it was not sent just before."""
        if text == self._sent:
            return News((), is_last)
        self._sent = text
        return News((ServerSentEvent(raw_data=text, event=self._event),), is_last)


async def watch(
    request: Request, pool: Parts, about: str, look: Callable[[SignedIn], Awaitable[News]]
) -> AsyncIterator[ServerSentEvent]:
    """Send what `look` finds now, after each change, and each minute without one; else `heartbeat` events.

    It is told each time who asks, with the groups and scopes that they have then.

    A change that is `about` that ticket or user is shown at once, others in turn with all who watch. The stream ends
    after the last news, or when who asked for it signs out or loses the token.
    """
    changes, clock, watcher = pool.changes, asyncio.get_running_loop().time, _Watcher(request, pool)

    async def see() -> News:
        person = await watcher.now()
        return await look(person) if person else News(is_last=True)

    seen, again_at = changes.count - 1, 0.0
    with changes.turns.watching(about) as concerned:
        while True:
            is_due = changes.count > seen or clock() >= again_at
            new = await _in_turn(changes, concerned, see) if is_due else None
            if new is None and await watcher.now() is None:
                return
            again_at = clock() + _AGAIN_SECONDS if new else again_at
            seen, news = new or (seen, News())
            for event in news.events or (ServerSentEvent(raw_data="", event="heartbeat"),):
                yield event
            if news.is_last:
                return
            if changes.count <= seen:
                await changes.after(seen, HEARTBEAT_SECONDS)


async def _in_turn(
    changes: Changes, concerned: asyncio.Event, see: Callable[[], Awaitable[News]]
) -> tuple[int, News] | None:
    """What is new now, and how many changes there had been; None where it is not one's turn before a heartbeat."""
    async with changes.turns.turn(concerned, HEARTBEAT_SECONDS) as is_mine:
        return (changes.count, await see()) if is_mine else None


class _Watcher:
    """Who asked for a stream."""

    def __init__(self, request: Request, pool: Parts) -> None:
        self._request, self._pool = request, pool
        self._known: SignedIn | None = None

    async def now(self) -> SignedIn | None:
        """Who it is now; None once they have signed out or lost the token."""
        try:
            self._known = await person_watching(self._request, self._pool)
        except RequestRefused as refused:
            if refused.response.status_code == 401:  # a hub that doesn't answer is no reason to go dark
                return None
        return self._known
