"""A line in the log for each request: who asked for what, how it went and how long it took.

People are there under their pseudonyms, as in the ledger and the audit trail, and what was asked for is the route, not
the address with what stands in it: once the key to a pseudonym is gone, the line leads to nobody.
"""

from __future__ import annotations

import asyncio
import logging
import re
from time import monotonic

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labpool.hub_signin import SignedIn
from labpool.service.callers import TheServer, TheSpawner, known_caller
from labpool.service.desk import Desk
from labpool.service.problems import route_of
from labpool.service.stand_by import is_open_to_all
from labpool.store import NotLeading, StoreUnavailable

_AN_ID = re.compile("[0-9a-f]{16}")  # what somebody puts in its place may be a name
_LOG = logging.getLogger("labpool.requests")


class RequestLog:
    """Middleware that writes the lines; what is asked without sign-in, as by monitors all the time, gets none."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app, self._desk = app, desk
        self._under_way: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it went; an event stream is noted when it is over."""
        if scope["type"] != "http" or is_open_to_all(scope["path"]):
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})  # the same for all that pass a changed scope on
        began, status = monotonic(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._note(scope, status, round(1000 * (monotonic() - began), 1))

    def _note(self, scope: Scope, status: int, ms: float) -> None:
        asked = {"method": scope["method"], "route": route_of(Request(scope))}
        ticket = scope.get("path_params", {}).get("ticket", "")
        if _AN_ID.fullmatch(ticket):
            asked["ticket"] = ticket
        fields = {**asked, "status": status, "ms": ms}
        caller = known_caller(Request(scope)) or scope["state"].get("caller")
        if isinstance(caller, SignedIn) and caller.kind == "user":
            self._note_person(caller.name, fields)
        else:
            _write(_program(caller), fields)

    def _note_person(self, name: str, fields: dict[str, object]) -> None:
        if known := self._desk.known_pseudonym(name):
            _write(known, fields)
            return
        task = asyncio.create_task(self._note_newcomer(name, fields))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _note_newcomer(self, name: str, fields: dict[str, object]) -> None:
        try:
            who = await self._desk.change(lambda change: change.pseudonym(name), replan=False, shown=False)
        except (NotLeading, StoreUnavailable):  # the pool that decides gives the pseudonyms
            who = "unknown"
        _write(who, fields)


def _program(caller: object) -> str:
    match caller:
        case TheSpawner():
            return "spawner"
        case TheServer():
            return "server"
        case SignedIn():
            return f"service {caller.name}"
    return "nobody"


def _write(who: str, fields: dict[str, object]) -> None:
    _LOG.info("request", extra={"who": who, **fields})
