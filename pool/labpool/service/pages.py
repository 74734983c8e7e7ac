"""The pool's own pages: my tickets, and the page of one ticket that lives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from labpool.hub_signin import Refusal, SignedIn
from labpool.service.access import Person, PersonWatching, ThePool, own_ticket
from labpool.service.parts import Parts
from labpool.service.watching import watch

STATIC = Path(__file__).parent / "static"
_TEMPLATES = Environment(
    loader=PackageLoader("labpool.service"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

routes = APIRouter(include_in_schema=False)


@routes.get("/", response_class=HTMLResponse)
async def my_tickets(request: Request, user: Person, pool: ThePool) -> HTMLResponse:
    """All tickets of mine, and how full the pool is."""
    tickets = await pool.viewer.tickets_of(user.name)
    return _page("tickets.html", request, user, pool, tickets=tickets, state=await pool.viewer.pool())


@routes.get("/tickets/{ticket}", response_class=HTMLResponse)
async def ticket_page(ticket: str, request: Request, user: Person, pool: ThePool) -> HTMLResponse:
    """One ticket of mine: place, times, reason, what can be done."""
    view = await pool.viewer.ticket((await own_ticket(ticket, user, pool)).id)
    return _page("ticket.html", request, user, pool, ticket=view)


@routes.get("/tickets/{ticket}/events", response_class=EventSourceResponse)
async def ticket_events(ticket: str, user: PersonWatching, pool: ThePool) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `ticket` with the live part of the page whenever it changed, and `heartbeat`."""
    found = await own_ticket(ticket, user, pool)

    async def render() -> str:
        view = await pool.viewer.ticket(found.id)
        return _TEMPLATES.get_template("_ticket.html").render(ticket=view)

    async for event in watch(render, "ticket", pool):
        yield event


def refusal_page(refusal: Refusal) -> str:
    """A refused request as a page in the hub's look."""
    return _TEMPLATES.get_template("refusal.html").render(refusal=refusal, user=None, xsrf="", prefix="/services/pool")


def _page(template: str, request: Request, user: SignedIn, pool: Parts, **shown: object) -> HTMLResponse:
    text = _TEMPLATES.get_template(template).render(
        user=user, xsrf=pool.signin.xsrf_token(request), prefix="/services/pool", **shown
    )
    return HTMLResponse(text, headers={"Cache-Control": "no-store"})
