"""What a pool answers that does not lead: who does, and to try again."""

from __future__ import annotations

from fastapi import APIRouter, Response
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from labpool.hub_signin import HubSignin, Refusal
from labpool.service.access import ThePool
from labpool.service.leading import Leading
from labpool.service.taking_down import TAKEN_DOWN, to_take_down
from labpool.service.viewing import PREFIX

_RETRY_SECONDS = 2
health = APIRouter(tags=["health"])
_OPEN = tuple(f"{PREFIX}/{path}" for path in ("healthz", "readyz", "openapi.json", "static/"))
_ALWAYS = (*_OPEN, f"{PREFIX}/metrics", f"{TAKEN_DOWN}/")


def is_open_to_all(path: str) -> bool:
    """Whether an address asks for no sign-in, as what a monitor reads."""
    return path.startswith(_OPEN)


class StandBy:
    """Middleware that lets requests through while this pool leads; a stand-by takes down what is to be changed."""

    def __init__(self, app: ASGIApp, leading: Leading, signin: HubSignin) -> None:
        self._app, self._leading, self._signin = app, leading, signin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 503 in the place of a pool that stands by, but to what it can take down for the leader."""
        if scope["type"] != "http" or self._leading.leads or scope["path"].startswith(_ALWAYS):
            await self._app(scope, receive, send)
            return
        if (taken := to_take_down(scope)) is not None:
            await self._app(taken, receive, send)
            return
        response = self._signin.refuse(Request(scope), stands_by(self._leading.leader))
        await response(scope, receive, send)


def stands_by(leader: str) -> Refusal:
    """The answer of a pool that does not lead."""
    return Refusal(
        503,
        "stands_by",
        "This pool stands by",
        f"Another one decides: {leader}." if leader else "Who decides is being settled.",
        "Try again in a moment.",
        retry_after=_RETRY_SECONDS,
    )


@health.get("/healthz", summary="Whether the pool answers")
async def healthz(pool: ThePool) -> dict[str, str]:
    """Answers without sign-in: whether this process leads or stands by, and who leads."""
    return {"status": "ok", "role": "leader" if pool.leading.leads else "stand-by", "leader": pool.leading.leader}


@health.get(
    "/readyz", status_code=204, summary="Whether the pool decides", responses={503: {"description": "Stands by."}}
)
async def readyz(pool: ThePool, response: Response) -> None:
    """Answers without sign-in: 204 where this process leads, for a balancer that finds the leader by it."""
    if not pool.leading.leads:
        response.status_code = 503
