"""A cap on request bodies, before anything reads them."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labpool.api_models import PROBLEM_MEDIA_TYPE, Problem

MOST_BYTES = 64 * 1024
"""No request of ours comes near: the largest names one user's groups."""


class BodyLimit:
    """ASGI middleware that answers 413 to a body of more than `MOST_BYTES`, also where its length isn't said."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its whole body, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        messages, size, more = [], 0, True
        while more and size <= MOST_BYTES:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        if size > MOST_BYTES:
            await _too_large()(scope, receive, send)
            return
        await self._app(scope, _replaying(messages, receive), send)


def _replaying(messages: list[Message], receive: Receive) -> Receive:
    async def next_message() -> Message:
        return messages.pop(0) if messages else await receive()

    return next_message


def _too_large() -> JSONResponse:
    problem = Problem(
        title="The request is too large",
        status=413,
        detail=f"A request to the pool has {MOST_BYTES // 1024} KiB at the most.",
        reason="too_large",
        remedy="Send only what the API's description names.",
    )
    return JSONResponse(problem.model_dump(), 413, media_type=PROBLEM_MEDIA_TYPE)
