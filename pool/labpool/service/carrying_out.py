"""Carrying out, by the pool that leads, what others took down."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from labpool.hub_signin import Refusal
from labpool.hub_signin.refusals import as_problem
from labpool.service.callers import from_store, said_by
from labpool.service.parts import Parts
from labpool.store import Answer, Entry, NotLeading, StoreUnavailable

KEPT = timedelta(hours=1)
"""So long an answer can be asked for."""
TOO_OLD = timedelta(minutes=10)
"""What waited longer is not done any more: who asked has given up, or asked again."""

_LOOK_SECONDS = 0.2
_NOT_CARRIED_HEADERS = frozenset({"content-length", "date", "server"})
_LOG = logging.getLogger(__name__)


class CarryingOut:
    """Looks for requests that were taken down for as long as this process leads, and does them one after another.

    One is taken before it is done, and never done twice: where a leader dies over it, its caller is told that nobody
    knows.

    Args:
        app: What answers requests.
        parts: The pool's parts.
    """

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app, self._parts, self._inbox = app, parts, parts.inbox
        self._has_begun = False
        self._forgot_at: datetime | None = None

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            if self._parts.leading.leads:
                try:
                    await self.look()
                except (StoreUnavailable, NotLeading) as error:
                    _LOG.warning("what was taken down waits: %s", error)
                except Exception:
                    _LOG.exception("what was taken down could not be carried out; trying again")
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Do what waits now."""
        await self._tidy()
        if not await asyncio.to_thread(self._inbox.waiting):
            return
        for entry in await asyncio.to_thread(self._inbox.take, self._parts.desk.clock()):
            answer = await self._answer(entry)
            await asyncio.to_thread(self._inbox.answer, entry.id, answer, self._parts.desk.clock())

    async def _tidy(self) -> None:
        now = self._parts.desk.clock()
        if not self._has_begun:
            await asyncio.to_thread(self._inbox.answer_left_behind, _as_answer(_nobody_knows()), now)
            self._has_begun = True
        if self._forgot_at is None or now - self._forgot_at >= KEPT / 4:
            await asyncio.to_thread(self._inbox.forget, now - KEPT)
            self._forgot_at = now

    async def _answer(self, entry: Entry) -> Answer:
        if self._parts.desk.clock() - entry.at > TOO_OLD:
            return _as_answer(_not_done())
        caller = from_store(entry.user, entry.caller)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._app(said_by(caller, scope), receive, send)

        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://pool") as client:
            content = entry.body.encode()
            response = await client.request(entry.method, entry.target, content=content, headers=dict(entry.headers))
        carried = {name: value for name, value in response.headers.items() if name not in _NOT_CARRIED_HEADERS}
        return Answer(response.status_code, carried, response.text)


def _as_answer(refusal: Refusal) -> Answer:
    response = as_problem(refusal)
    headers = {name: value for name, value in response.headers.items() if name not in _NOT_CARRIED_HEADERS}
    return Answer(response.status_code, headers, bytes(response.body).decode())


def _nobody_knows() -> Refusal:
    return Refusal(
        503,
        "carried_out_or_not",
        "Nobody knows whether this was done",
        "The pool that was about to do it ended over it.",
        "Look at your tickets, and ask again where it is missing.",
    )


def _not_done() -> Refusal:
    return Refusal(
        503,
        "waited_too_long",
        "This was not done",
        f"No pool decided for {TOO_OLD // timedelta(minutes=1)} minutes, so what was asked before that is not done.",
        "Ask again.",
    )
