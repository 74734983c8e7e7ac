"""Passing a request on to a TensorBoard and its answer back, in pieces as they come."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from labpool_logs.gateway.child import TensorBoardChild

# What TensorBoard needs to know of a request; above all not who sent it (Cookie, Authorization).
_SENT = {"accept", "accept-encoding", "accept-language", "content-type", "if-modified-since", "if-none-match", "range"}
# Hop-by-hop headers (RFC 9110, 7.6.1), what our own server says, and what TensorBoard has no business to say.
_DROPPED = {
    "connection",
    "date",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "server",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_LARGEST_BODY = 4 * 1024 * 1024


class BodyTooLarge(Exception):
    """A request's body is larger than anything that TensorBoard's own page sends."""


class TensorBoardGone(Exception):
    """The TensorBoard ended before it answered."""


async def read_body(request: Request) -> bytes:
    """Return the whole body: it is small, and must be sent once more where the TensorBoard has to be started again.

    Raises:
        BodyTooLarge: it has more than 4 MiB.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_BODY:
            raise BodyTooLarge(f"the request has more than {_LARGEST_BODY} bytes")
    return bytes(body)


async def forward(request: Request, body: bytes, child: TensorBoardChild) -> Response:
    """Ask a TensorBoard and stream its answer.

    Raises:
        TensorBoardGone: no answer came; asking a new one may help.
    """
    target = request.scope["raw_path"]
    if query := request.scope["query_string"]:
        target += b"?" + query
    headers = [(name, value) for name, value in request.headers.items() if name in _SENT]
    url = httpx.URL("http://tensorboard").copy_with(raw_path=target)
    asked = child.http.build_request(request.method, url, headers=headers, content=body)
    with contextlib.ExitStack() as stack:
        stack.enter_context(child.in_use())
        try:
            answer = await child.http.send(asked, stream=True)
        except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: the client was closed meanwhile
            raise TensorBoardGone(f"no answer from TensorBoard: {error!r}") from error
        response = StreamingResponse(_pieces(answer, stack.pop_all()), answer.status_code)
    response.raw_headers = [
        (name.lower(), value) for name, value in answer.headers.raw if name.decode("latin-1").lower() not in _DROPPED
    ]
    return response


async def _pieces(answer: httpx.Response, use: contextlib.ExitStack) -> AsyncIterator[bytes]:
    with use:
        try:
            async for piece in answer.aiter_raw():
                yield piece
        finally:
            await answer.aclose()
