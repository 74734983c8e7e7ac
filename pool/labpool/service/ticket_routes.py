"""The API for people and their programs, and for a ticket's own server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response, status
from fastapi.sse import EventSourceResponse, ServerSentEvent

from labpool.api_models import (
    EndAsked,
    FormView,
    MoreHours,
    NoticeView,
    OfferTaken,
    PoolView,
    Problem,
    ServerAsked,
    StartsAgain,
    StepBehind,
    TicketPage,
    TicketView,
)
from labpool.domain.tickets import OPEN, State
from labpool.service.access import (
    ADMIN,
    READ,
    WRITE,
    Person,
    ReaderWatching,
    SeenTicketWatched,
    ThePool,
    TheServersTicket,
    needs,
    own_ticket,
    seen_ticket,
)
from labpool.service.by_admin import tell_why_ended
from labpool.service.extending import extend_lease
from labpool.service.in_line import leave_line, say_ready
from labpool.service.instead import take_instead
from labpool.service.listing import page_of
from labpool.service.reordering import step_behind
from labpool.service.requesting import request_server
from labpool.service.starting_again import wish_to_start_again
from labpool.service.streams import notices_of, ticket_followed

_Responses = dict[int | str, dict[str, Any]]  # as FastAPI has it
_REFUSALS: _Responses = {code: {"model": Problem} for code in (401, 403)}
_ABOUT_ONE: _Responses = _REFUSALS | {404: {"model": Problem}}
_ACTIONS: _Responses = _ABOUT_ONE | {409: {"model": Problem}}

routes = APIRouter(tags=["tickets"])


@routes.get("/pool", responses=_REFUSALS, summary="What is free and how many wait")
async def pool_state(user: Person, pool: ThePool) -> PoolView:
    """The pool now, without anybody's name."""
    needs(user, READ)
    return await pool.viewer.pool()


@routes.get("/profiles", responses=_REFUSALS, summary="What each profile of my projects would meet now")
async def profiles(user: Person, pool: ThePool) -> FormView:
    """With how many are free, when it would start with its longest hours, and for how many it would start at once."""
    needs(user, READ)
    return await pool.viewer.form(user.name if user.kind == "user" else "", user.groups)


@routes.get("/tickets", responses=_REFUSALS, summary="Tickets that I may see, newest first")
async def tickets(
    user: Person,
    pool: ThePool,
    state: Annotated[list[State] | None, Query()] = None,
    project: Annotated[str | None, Query(max_length=255)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=255)] = None,
) -> TicketPage:
    """One's own and those of one's projects, others' without names; an owner's with names; all for an admin.

    Without `state` open and ended ones.
    """
    needs(user, READ)
    return await page_of(pool.desk, user, state or (), project, limit, cursor)


@routes.post(
    "/tickets",
    status_code=status.HTTP_201_CREATED,
    responses=_REFUSALS | {409: {"model": Problem}},
    summary="Ask for a server with GPUs, as the form does",
)
async def ask(
    asked: ServerAsked,
    user: Person,
    pool: ThePool,
    idempotency_key: Annotated[str, Header(max_length=255)] = "",
) -> TicketView:
    """The server starts by itself when its turn comes.

    Of one server there is one open ticket: asked for again, it is the answer. Repeated with the same Idempotency-Key
    within a day, the answer is the same ticket though it has ended. When a new one will likely start is worked out a
    moment after the answer.
    """
    needs(user, WRITE)
    found = await request_server(pool.desk, pool.viewer, asked, idempotency_key, user)
    pool.reconciler.look_soon()
    return found


@routes.get("/tickets/{ticket}", responses=_ABOUT_ONE, summary="One ticket")
async def ticket(ticket: str, user: Person, pool: ThePool) -> TicketView:
    """A ticket of one's own, or of a project that one owns."""
    needs(user, READ)
    return await pool.viewer.ticket((await seen_ticket(ticket, user, pool)).id)


@routes.get(
    "/tickets/{ticket}/events",
    responses=_ABOUT_ONE,
    response_class=EventSourceResponse,
    summary="One ticket whenever it changes",
)
async def ticket_events(found: SeenTicketWatched, request: Request, pool: ThePool) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `ticket` with a TicketView, now and when that is another one, and a `heartbeat` every 5 s.

    For whom `GET` answers. Once the ticket has ended the stream says so and ends.
    """
    async for event in ticket_followed(found, request, pool):
        yield event


@routes.post("/tickets/{ticket}/leave", responses=_ACTIONS, summary="Leave the queue")
async def leave(ticket: str, user: Person, pool: ThePool) -> TicketView:
    """End a queued ticket; those behind it move up."""
    needs(user, WRITE)
    found = await own_ticket(ticket, user, pool)
    await leave_line(pool.desk, found.id, user.name)
    return await pool.viewer.ticket(found.id)


@routes.post("/tickets/{ticket}/ready", responses=_ACTIONS, summary="Be granted again after a missed turn")
async def ready(ticket: str, user: Person, pool: ThePool) -> TicketView:
    """Say that one is there now: a ticket whose grant went unclaimed takes part again."""
    needs(user, WRITE)
    found = await own_ticket(ticket, user, pool)
    await say_ready(pool.desk, found.id, user.name)
    pool.reconciler.look_soon()
    return await pool.viewer.ticket(found.id)


@routes.post("/tickets/{ticket}/switch", responses=_ACTIONS, summary="Stop the name's CPU server, start with GPUs")
async def switch(ticket: str, user: Person, pool: ThePool) -> TicketView:
    """For a granted ticket whose server's name is taken by a CPU server."""
    needs(user, WRITE)
    found = await own_ticket(ticket, user, pool)
    await pool.reconciler.switch(found)
    return await pool.viewer.ticket(found.id)


@routes.post("/tickets/{ticket}/instead", responses=_ACTIONS, summary="Take what would start now instead")
async def instead(ticket: str, offer: OfferTaken, user: Person, pool: ThePool) -> TicketView:
    """Give up a waiting ticket for one of its `sooner`; the answer is the new one. Refused, the old one stays."""
    needs(user, WRITE)
    found = await own_ticket(ticket, user, pool)
    taken = await take_instead(pool.desk, found.id, offer.profile, timedelta(hours=offer.hours), user.name)
    pool.reconciler.look_soon()
    return await pool.viewer.ticket(taken.id)


@routes.post("/tickets/{ticket}/behind", responses=_ACTIONS, summary="Let another ticket of mine go first")
async def behind(ticket: str, other: StepBehind, user: Person, pool: ThePool) -> TicketView:
    """Move a waiting ticket behind another one of the same person, where that one gains from it.

    The one that steps back is promised anew; nobody else's promise moves.
    """
    needs(user, WRITE)
    found = await own_ticket(ticket, user, pool)
    await step_behind(pool.desk, found.id, (await own_ticket(other.ticket, user, pool)).id, user.name)
    pool.reconciler.look_soon()
    return await pool.viewer.ticket(found.id)


@routes.post("/tickets/{ticket}/end", responses=_ACTIONS, summary="Give the GPUs back now")
async def end(ticket: str, user: Person, pool: ThePool, said: EndAsked | None = None) -> TicketView:
    """Stop the ticket's server if it runs, and end its lease. An admin may say `why`, which the owner is told."""
    needs(user, WRITE)
    found = await own_ticket(ticket, user, pool)
    if said is not None and said.why and user.has_scope(ADMIN):
        await tell_why_ended(pool.desk, found, said.why, user)
    await pool.reconciler.give_back(found, user.name)
    return await pool.viewer.ticket(found.id)


@routes.post("/tickets/{ticket}/again", responses=_ACTIONS, summary="Say whether it starts again by itself")
async def again(ticket: str, wish: StartsAgain, user: Person, pool: ThePool) -> TicketView:
    """Whether the ticket goes back in line if its GPUs are taken back before the end; it does unless told otherwise."""
    needs(user, WRITE)
    found = await own_ticket(ticket, user, pool)
    await wish_to_start_again(pool.desk, found.id, wish.starts_again, user.name)
    return await pool.viewer.ticket(found.id)


@routes.post("/tickets/{ticket}/extend", responses=_ACTIONS | {422: {"model": Problem}}, summary="Have the GPUs longer")
async def extend(ticket: str, more: MoreHours, user: Person, pool: ThePool) -> TicketView:
    """Let a lease in use end later: `extendable_until` at the latest, so that nobody who waits is delayed by it."""
    needs(user, WRITE)
    found = await own_ticket(ticket, user, pool)
    await extend_lease(pool.desk, found.id, timedelta(hours=more.hours), user.name)
    return await pool.viewer.ticket(found.id)


@routes.get("/me/notices", responses=_REFUSALS, response_class=EventSourceResponse, summary="My notices as they come")
async def my_notices(
    user: ReaderWatching,
    request: Request,
    pool: ThePool,
    last_event_id: Annotated[str | None, Header(max_length=255, description="Go on after this notice.")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `notice` with a ToldNotice, and a `heartbeat` every 5 s so that a dead stream is noticed.

    Each notice comes once, in order, also of tickets that ended. Without Last-Event-ID the stream begins with the
    newest one of each open ticket.
    """
    async for event in notices_of(user, request, pool, last_event_id):
        yield event


@routes.post("/tickets/{ticket}/claim", status_code=204, responses=_ACTIONS, summary="The server was used")
async def claim(ticket: TheServersTicket, pool: ThePool) -> None:
    """By the ticket's own server: a person used it."""
    await pool.desk.claim(ticket.id)


@routes.get(
    "/tickets/{ticket}/notice",
    response_model=NoticeView,
    responses=_ABOUT_ONE | {204: {"description": "Nothing to say."}},
    summary="What the server's user should know now",
)
async def notice(ticket: TheServersTicket, pool: ThePool) -> NoticeView | Response:
    """By the ticket's own server: the newest notice of an open ticket."""
    found = (await pool.viewer.ticket(ticket.id)).notice if ticket.state in OPEN else None
    return found or Response(status_code=status.HTTP_204_NO_CONTENT)
