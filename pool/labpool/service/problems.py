"""Errors as people and programs read them: one sentence on the page, in the API and in the log, found by one id."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from labpool.domain.reasons import Refusal as Refused
from labpool.domain.reasons import RefusalReason
from labpool.hub_signin import HubSignin, Refusal
from labpool.service.desk import NoSuchTicket, NotNow
from labpool.store import Unstorable

_LOG = logging.getLogger(__name__)

_CONFLICTS = frozenset(
    {
        RefusalReason.SERVER_HOLDS_OTHER_LEASE,
        RefusalReason.SERVER_WAITS_FOR_OTHER,
        RefusalReason.SERVER_IS_ENDING,
        RefusalReason.SERVER_IS_LOST,
    }
)
_TICKETS = "Your tickets are listed at /services/pool/."
_DESCRIPTION = "What may be asked, and how, is described at /services/pool/openapi.json."


class Rejected(Exception):
    """A request that is answered with `refusal`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


def install_problems(app: FastAPI, signin: HubSignin) -> None:
    """Answer every error of `app` as problem details (RFC 9457), or as a page where a person asked for one."""

    async def answer(request: Request, error: Exception) -> Response:
        return signin.refuse(request, _refusal(error))

    async def answer_unexpected(request: Request, error: Exception) -> Response:
        refusal = _unexpected()
        _LOG.error("failed inside", extra={"refusal": refusal.id, "route": route_of(request)}, exc_info=error)
        return signin.refuse(request, refusal)

    for kind in (Rejected, NotNow, NoSuchTicket, RequestValidationError, Unstorable, HTTPException):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(Exception, answer_unexpected)


def route_of(request: Request) -> str:
    """What the log calls the address of a request, with names of parameters for their values, which may be a person's.

    Empty where the pool has nothing there.
    """
    route: str = getattr(request.scope.get("route"), "path_format", "")
    asked, path = route.format_map(request.path_params), request.scope["path"]
    return path.removesuffix(asked) + route if route and path.endswith(asked) else route


def as_problem(refused: Refused) -> Refusal:
    """The problem of a request that can not be met as it was asked."""
    status = 409 if refused.reason in _CONFLICTS else 422
    title = "Not with these options" if status == 422 else "Not now"
    return Refusal(status, refused.reason.value, title, refused.message, refused.remedy)


def _refusal(error: Exception) -> Refusal:
    match error:
        case Rejected():
            return error.refusal
        case NotNow():
            return Refusal(409, "not_now", "Not possible now", str(error), "Look at the ticket again; it has moved on.")
        case NoSuchTicket():
            return Refusal(404, "no_such_ticket", "No such ticket", f"Nothing was done: {error}.", _TICKETS)
        case RequestValidationError() | Unstorable():
            return Refusal(422, "invalid_request", "The request is not valid", _mistakes(error), _DESCRIPTION)
        case HTTPException():
            return _http_refusal(error)
    return _unexpected()


def _mistakes(error: RequestValidationError | Unstorable) -> str:
    if isinstance(error, Unstorable):
        return f"Nothing was done, as the database can't hold one of the texts: {error}."
    said = [f"{'.'.join(str(part) for part in mistake['loc'])}: {mistake['msg']}" for mistake in error.errors()[:5]]
    return "; ".join(said)


def _http_refusal(error: HTTPException) -> Refusal:
    if error.status_code == 404:
        return Refusal(
            404, "not_found", "Nothing here", "The pool has no page with this address.", "Begin at /services/pool/."
        )
    return Refusal(error.status_code, "refused", "The request was refused", str(error.detail), _DESCRIPTION)


def _unexpected() -> Refusal:
    return Refusal(
        500,
        "failed_inside",
        "Something went wrong in the pool",
        "The pool made a mistake. Your tickets and servers are as they were.",
        "Try again; if it stays, give the reference below to the lab's administrators.",
    )
