"""What people and programs are told while the pool can't decide: try again, and when."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from starlette.responses import Response

from labpool.hub_signin import HubSignin, Refusal
from labpool.service.leading import Leading
from labpool.service.problems import route_of
from labpool.service.stand_by import stands_by
from labpool.service.turns import PATIENCE_SECONDS, NoTurn
from labpool.store import NotLeading, StoreFull, StoreUnavailable

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS, _RETRY_SLOW_SECONDS = 5, 30
_RETRY_FULL_SECONDS = 60
"""Somebody has to make room first."""


def install_unavailable(app: FastAPI, signin: HubSignin, leading: Leading) -> None:
    """Answer 503 with Retry-After where the database is away, full or slow, or another pool begins to decide."""

    async def answer(request: Request, error: Exception) -> Response:
        refusal = _refusal(error)
        _LOG.error("%s", error, extra={"refusal": refusal.id, "route": route_of(request)})
        return signin.refuse(request, refusal)

    async def answer_replaced(request: Request, error: Exception) -> Response:
        return signin.refuse(request, stands_by(leading.leader))

    app.add_exception_handler(StoreUnavailable, answer)
    app.add_exception_handler(NotLeading, answer_replaced)


def _refusal(error: Exception) -> Refusal:
    match error:
        case StoreFull():
            return _database_full()
        case NoTurn():
            return _database_slow()
    return _database_unavailable()


def _database_full() -> Refusal:
    return Refusal(
        503,
        "database_full",
        "The pool's disk is full",
        "What you asked for could not be written down. Servers that run go on.",
        "Tell the lab's administrators to make room for the pool's database; then ask again.",
        retry_after=_RETRY_FULL_SECONDS,
    )


def _database_slow() -> Refusal:
    return Refusal(
        503,
        "database_slow",
        "The pool's database is too slow",
        f"Your request did not get its turn within {PATIENCE_SECONDS:g} seconds, so it was not written down. Servers "
        "that run go on.",
        "Ask again in a minute; if it stays so, tell the lab's administrators that the pool's database is slow.",
        retry_after=_RETRY_SLOW_SECONDS,
    )


def _database_unavailable() -> Refusal:
    return Refusal(
        503,
        "database_unavailable",
        "The pool can't reach its database",
        "Whether what you asked for was done is not sure. Servers that run go on.",
        "Look at your tickets in a minute, and ask again where it is missing.",
        retry_after=_RETRY_SECONDS,
    )
