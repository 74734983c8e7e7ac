"""What people and programs are told while the pool can't decide: try again, and when."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from starlette.responses import Response

from labpool.hub_signin import HubSignin, Refusal
from labpool.service.leading import Leading
from labpool.service.stand_by import stands_by
from labpool.store import NotLeading, StoreUnavailable

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 5


def install_unavailable(app: FastAPI, signin: HubSignin, leading: Leading) -> None:
    """Answer 503 with Retry-After where the pool's database is out of reach, or another pool has begun to decide."""

    async def answer(request: Request, error: Exception) -> Response:
        refusal = _database_unavailable()
        _LOG.error("%s", error, extra={"refusal": refusal.id, "path": request.url.path})
        return signin.refuse(request, refusal)

    async def answer_replaced(request: Request, error: Exception) -> Response:
        return signin.refuse(request, stands_by(leading.leader))

    app.add_exception_handler(StoreUnavailable, answer)
    app.add_exception_handler(NotLeading, answer_replaced)


def _database_unavailable() -> Refusal:
    return Refusal(
        503,
        "database_unavailable",
        "The pool can't reach its database",
        "Whether what you asked for was done is not sure. Servers that run go on.",
        "Look at your tickets in a minute, and ask again where it is missing.",
        retry_after=_RETRY_SECONDS,
    )
