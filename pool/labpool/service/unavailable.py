"""What people and programs are told while the pool can't decide: try again, and when."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from starlette.responses import Response

from labpool.hub_signin import HubSignin, Refusal
from labpool.store import StoreUnavailable

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 5


def install_unavailable(app: FastAPI, signin: HubSignin) -> None:
    """Answer 503 with Retry-After where the pool's database is out of reach."""

    async def answer(request: Request, error: Exception) -> Response:
        refusal = _database_unavailable()
        _LOG.error("%s", error, extra={"refusal": refusal.id, "path": request.url.path})
        return signin.refuse(request, refusal)

    app.add_exception_handler(StoreUnavailable, answer)


def _database_unavailable() -> Refusal:
    return Refusal(
        503,
        "database_unavailable",
        "The pool can't reach its database",
        "Whether what you asked for was done is not sure. Servers that run go on.",
        "Look at your tickets in a minute, and ask again where it is missing.",
        retry_after=_RETRY_SECONDS,
    )
