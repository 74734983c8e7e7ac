"""Live streams: what a watcher sees is rendered anew after each change and sent where it differs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi.sse import ServerSentEvent

from labpool.service.parts import Parts

HEARTBEAT_SECONDS = 5.0
"""The proxy keeps a browser's stream open and silent when the pool dies: silence for longer means a dead stream."""


async def watch(render: Callable[[], Awaitable[str]], event: str, pool: Parts) -> AsyncIterator[ServerSentEvent]:
    """Send `render`'s text as `event` now and whenever it has changed; a `heartbeat` event otherwise."""
    sent: str | None = None
    count = pool.changes.count
    while True:
        shown = await render()
        if shown != sent:
            sent = shown
            yield ServerSentEvent(raw_data=shown, event=event)
        else:
            yield ServerSentEvent(raw_data="", event="heartbeat")
        count = await pool.changes.after(count, HEARTBEAT_SECONDS)


async def notices_of(user: str, pool: Parts) -> AsyncIterator[ServerSentEvent]:
    """The newest notice of the user's open tickets, as JSON, whenever another one is the newest."""

    async def newest() -> str:
        tickets = (await pool.viewer.home(user)).tickets
        notices = [ticket.notice for ticket in tickets if ticket.notice]
        return max(notices, key=lambda notice: notice.at).model_dump_json() if notices else ""

    async for event in watch(newest, "notice", pool):
        yield event
