"""The pool's own pages: my tickets, and the page of one ticket that lives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from labpool.api_models import TicketView
from labpool.domain.words import decimal, ordinal
from labpool.hub_signin import Refusal, SignedIn
from labpool.service.access import READ, OwnTicketWatched, Person, ThePool, needs, own_ticket
from labpool.service.acts_page import acts_shown
from labpool.service.page_words import cpu_start_path, extensions, form_path, often, start_again_path, with_times
from labpool.service.parts import Parts
from labpool.service.preference_page import KINDS, mails_its_turn
from labpool.service.preference_routes import preferences_of
from labpool.service.reservation_views import reservations_of, reserve_form
from labpool.service.viewing import PREFIX
from labpool.service.watching import Latest, News, watch

# Our pages load from this host only; the hub's own scripts set styles on elements.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}
_TEMPLATES = Environment(
    loader=PackageLoader("labpool.service"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"ordinal": ordinal, "with_times": with_times, "often": often, "decimal": decimal}
_TEMPLATES.globals["prefix"] = PREFIX

routes = APIRouter(include_in_schema=False)


@routes.get("/", response_class=HTMLResponse)
async def my_tickets(request: Request, user: Person, pool: ThePool) -> HTMLResponse:
    """All tickets of mine, how full the pool is, what is reserved, and what admins can do."""
    needs(user, READ)
    tickets = await pool.viewer.tickets_of(user.name) if user.kind == "user" else []
    shown = {
        "tickets": tickets,
        "state": await pool.viewer.pool(),
        "reservations": await reservations_of(pool.desk, user),
        "reserve": reserve_form(pool.desk, user),
        "acts": await acts_shown(pool.desk, user),
    }
    return _page("tickets.html", request, user, pool, shown)


@routes.get("/preferences", response_class=HTMLResponse)
async def preferences_page(request: Request, user: Person, pool: ThePool, confirm: str = "") -> HTMLResponse:
    """How I want to be told; with the token of a mail's link it asks whether the address is mine."""
    needs(user, READ)
    mine = await preferences_of(pool, user)
    is_new = not (mine.email or mine.unconfirmed or mine.webhook_url)
    shown = {"mine": mine, "kinds": KINDS, "token": confirm, "is_new": is_new}
    return _page("preferences.html", request, user, pool, shown)


@routes.get("/tickets/{ticket}", response_class=HTMLResponse)
async def ticket_page(ticket: str, request: Request, user: Person, pool: ThePool) -> HTMLResponse:
    """One ticket of mine: place, times, reason, what can be done."""
    needs(user, READ)
    view = await pool.viewer.ticket((await own_ticket(ticket, user, pool)).id)
    return _page("ticket.html", request, user, pool, await _about(view, pool))


@routes.get("/tickets/{ticket}/events", response_class=EventSourceResponse)
async def ticket_events(found: OwnTicketWatched, request: Request, pool: ThePool) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `ticket` with the live part of the page whenever it changed, and `heartbeat`.

    The stream ends when the person signs out.
    """
    latest = Latest("ticket")

    async def look(_: SignedIn) -> News:
        view = await pool.viewer.ticket(found.id)
        return latest.news(_TEMPLATES.get_template("_ticket.html").render(await _about(view, pool)))

    async for event in watch(request, pool, found.id, look):
        yield event


def refusal_page(refusal: Refusal) -> str:
    """A refused request as a page in the hub's look."""
    return _TEMPLATES.get_template("refusal.html").render(refusal=refusal, user=None, xsrf="")


async def _about(ticket: TicketView, pool: Parts) -> dict[str, object]:
    catalogue = pool.desk.catalogue
    return {
        "ticket": ticket,
        "now": pool.desk.clock(),
        "project_titles": {project.name: project.title for project in catalogue.projects.values()},
        "cpu_path": cpu_start_path(ticket, catalogue),
        "form_path": form_path(ticket),
        "again_path": start_again_path(ticket, catalogue),
        "extensions": extensions(ticket),
        "mailed": await mails_its_turn(pool, ticket.user),
    }


def _page(template: str, request: Request, user: SignedIn, pool: Parts, shown: Mapping[str, object]) -> HTMLResponse:
    text = _TEMPLATES.get_template(template).render(user=user, xsrf=pool.signin.xsrf_token(request), **shown)
    return HTMLResponse(text, headers=_HEADERS)
