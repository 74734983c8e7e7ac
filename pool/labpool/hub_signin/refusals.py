"""What a request gets that isn't let through: a problem for programs, a page for people."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape

from starlette.responses import HTMLResponse, JSONResponse, Response

from labpool.api_models import PROBLEM_MEDIA_TYPE, Confirmation, Problem


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request isn't let through, in words for the person who sent it.

    Attributes:
        status: HTTP status.
        reason: a closed name, for programs.
        title: what happened, in a few words.
        detail: what happened this time, and what was expected.
        remedy: what the person can do about it.
        retry_after: seconds after which trying again makes sense; None where it doesn't.
        retry_url: address that a person can follow to try again; empty where there is none.
        confirm: what to send along to have it all the same; None where that can't be.
        id: finds the line in the log.
    """

    status: int
    reason: str
    title: str
    detail: str
    remedy: str
    retry_after: int | None = None
    retry_url: str = ""
    confirm: Confirmation | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(6))


RefusalPage = Callable[[Refusal], str]


class RequestRefused(Exception):
    """Carries the finished answer out of a dependency."""

    def __init__(self, response: Response, why: str) -> None:
        super().__init__(why)
        self.response = response


class SigninRefused(Exception):
    """A request that must not go on, before it is known in which form to say so."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.status} {refusal.title}: {refusal.detail}")
        self.refusal = refusal


def as_problem(refusal: Refusal) -> Response:
    """Return problem details as in RFC 9457."""
    problem = Problem(
        type="about:blank",
        title=refusal.title,
        status=refusal.status,
        detail=refusal.detail,
        reason=refusal.reason,
        remedy=refusal.remedy,
        confirm=refusal.confirm,
        id=refusal.id,
    )
    return JSONResponse(problem.model_dump(exclude_none=True), refusal.status, _headers(refusal), PROBLEM_MEDIA_TYPE)


def as_page(refusal: Refusal, page: RefusalPage) -> Response:
    """Return the refusal as a page for a browser."""
    return HTMLResponse(page(refusal), refusal.status, _headers(refusal))


def plain_page(refusal: Refusal) -> str:
    """Return a page that needs nothing but itself: it must work while the hub is down."""
    retry = f'<p><a href="{escape(refusal.retry_url)}">Try again</a></p>' if refusal.retry_url else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(refusal.title)}</title></head>"
        '<body style="font-family: system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem">'
        f"<main><h1>{escape(refusal.title)}</h1><p>{escape(refusal.detail)}</p>"
        f"<p>{escape(refusal.remedy)}</p>{retry}"
        f"<p><small>Reference for the support team: {escape(refusal.id)}</small></p></main></body></html>"
    )


def _headers(refusal: Refusal) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers
