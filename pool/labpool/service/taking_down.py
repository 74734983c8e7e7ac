"""Requests to a pool that stands by: taken down for the one that leads, and answered with its answer."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import JSONResponse
from starlette.types import Scope

from labpool.api_models import Problem, Queued
from labpool.hub_signin import Refusal
from labpool.service.access import ThePool, bearer_token, person
from labpool.service.callers import Caller, TheSpawner, name_of_caller, to_store
from labpool.service.parts import Parts
from labpool.service.problems import Rejected
from labpool.service.viewing import PREFIX
from labpool.store import Answer, Entry

API = f"{PREFIX}/api/v1"
TAKEN_DOWN = f"{API}/requests"
_HERE = f"{PREFIX}/taken-down"
_ASKED = "labpool.asked"
_CARRIED_HEADERS = ("content-type", "accept", "idempotency-key")
_WAIT_SECONDS, _LOOK_SECONDS = 1.0, 0.05
_RETRY_SECONDS = 1

routes = APIRouter(tags=["requests"])
hidden = APIRouter(include_in_schema=False)


def to_take_down(scope: Scope) -> Scope | None:
    """The same request as one to be taken down; None where it changes nothing, or a server sends it, which repeats it.

    A server's token is only known where its ticket is.
    """
    path: str = scope["path"]
    if scope["method"] in {"GET", "HEAD", "OPTIONS"} or not path.startswith(f"{API}/") or path.endswith("/claim"):
        return None
    target = scope["raw_path"].decode("ascii")
    query = scope["query_string"].decode("ascii")
    asked = (scope["method"], f"{target}?{query}" if query else target)
    return {**scope, "method": "POST", "path": _HERE, "raw_path": _HERE.encode(), _ASKED: asked}


async def any_caller(request: Request, pool: ThePool) -> Caller:
    """Whoever may ask anything of the pool, but for a ticket's own server."""
    if hmac.compare_digest(bearer_token(request).encode(), pool.spawner_token.encode()):
        request.state.caller = TheSpawner()
        return TheSpawner()
    return await person(request, pool)


AnyCaller = Annotated[Caller, Depends(any_caller)]


@hidden.post(_HERE.removeprefix(PREFIX))
async def take_down(request: Request, caller: AnyCaller, pool: ThePool) -> Response:
    """Keep a request, and wait a second for the leader's answer."""
    asked = request.scope.get(_ASKED)
    if asked is None:
        raise Rejected(_no_such_request())
    entry = await _entry(request, asked, caller, pool)
    await asyncio.to_thread(pool.inbox.put, entry)
    clock = asyncio.get_running_loop().time
    deadline = clock() + _WAIT_SECONDS
    while clock() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)
        found = await asyncio.to_thread(pool.inbox.find, entry.id)
        if found is not None and found[1] is not None:
            return _as_response(found[1])
    return _queued(entry)


@routes.get(
    "/requests/{entry}",
    responses={202: {"model": Queued}, 401: {"model": Problem}, 404: {"model": Problem}},
    summary="What became of a request that was queued",
)
async def answer_to_queued(entry: str, caller: AnyCaller, pool: ThePool) -> Response:
    """The answer of the pool that decides, as the request itself would have got it; any pool gives it for an hour."""
    found = await asyncio.to_thread(pool.inbox.find, entry)
    if found is None or not _is_of(found[0], caller):
        raise Rejected(_no_such_request())
    asked, answer = found
    return _queued(asked) if answer is None else _as_response(answer)


async def _entry(request: Request, asked: tuple[str, str], caller: Caller, pool: Parts) -> Entry:
    method, target = asked
    headers = {name: request.headers[name] for name in _CARRIED_HEADERS if name in request.headers}
    try:
        body = (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise Rejected(_no_text()) from error
    kept, now = to_store(caller), pool.desk.clock()
    return Entry(secrets.token_hex(16), name_of_caller(caller), kept, method, target, headers, body, now)


def _is_of(entry: Entry, caller: Caller) -> bool:
    return (entry.user, entry.caller["kind"]) == (name_of_caller(caller), to_store(caller)["kind"])


def _queued(entry: Entry) -> Response:
    path = f"{TAKEN_DOWN}/{entry.id}"
    message = "Your request is kept, and is carried out as soon as one of the lab's pools decides again."
    queued = Queued(request=entry.id, path=path, retry_after=_RETRY_SECONDS, message=message)
    headers = {"Location": path, "Retry-After": str(_RETRY_SECONDS)}
    return JSONResponse(queued.model_dump(), 202, headers)


def _as_response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))


def _no_such_request() -> Refusal:
    return Refusal(
        404,
        "no_such_request",
        "No such request",
        "No request of yours with this id waits, or was answered within the last hour.",
        "Your tickets are listed at /services/pool/.",
    )


def _no_text() -> Refusal:
    return Refusal(
        422,
        "invalid_request",
        "The request is not valid",
        "Its body is not text in UTF-8.",
        "What may be asked, and how, is described at /services/pool/openapi.json.",
    )
