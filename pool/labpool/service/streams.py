"""What programs can follow over the API: one ticket, and all that somebody is told."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import Request
from fastapi.sse import ServerSentEvent

from labpool.api_models import ToldNotice
from labpool.domain.tickets import State, Ticket
from labpool.hub_signin import SignedIn
from labpool.service.access import may_see
from labpool.service.parts import Parts
from labpool.service.watching import Latest, News, watch
from labpool.store import Notice

_LONGEST_NUMBER = 18  # digits that fit into 64 bits


async def ticket_followed(found: Ticket, request: Request, pool: Parts) -> AsyncIterator[ServerSentEvent]:
    """A ticket as JSON, now and whenever it has changed, until it has ended or who asks may not see it any more."""
    latest = Latest("ticket")

    async def look(user: SignedIn) -> News:
        if not may_see(found, user, pool):
            return News(is_last=True)
        view = await pool.viewer.ticket(found.id)
        return latest.news(view.model_dump_json(), is_last=view.state == State.ENDED.value)

    async for event in watch(request, pool, found.id, look):
        yield event


async def notices_of(
    user: SignedIn, request: Request, pool: Parts, last_seen: str | None
) -> AsyncIterator[ServerSentEvent]:
    """Each notice of the user's tickets once, in order, those after the event `last_seen`; none for a service.

    Who has seen none begins with the newest one of each open ticket.
    """
    last = _number(last_seen)

    async def look(_: SignedIn) -> News:
        nonlocal last
        if user.kind != "user":
            return News()
        after = last
        found = await pool.desk.view(lambda view: view.told(user.name, after))
        last = found.last
        return News(tuple(_event(number, notice) for number, notice in found.notices))

    async for event in watch(request, pool, user.name, look):
        yield event


def _event(number: int, notice: Notice) -> ServerSentEvent:
    told = ToldNotice(
        number=number,
        ticket=notice.ticket,
        kind=notice.kind,
        at=notice.at,
        ends_at=notice.ends_at,
        message=notice.message,
    )
    return ServerSentEvent(raw_data=told.model_dump_json(), event="notice", id=str(number))


def _number(last_seen: str | None) -> int | None:
    """The number that we sent as an event's id; None for anything else, as for who has seen nothing."""
    if last_seen and len(last_seen) <= _LONGEST_NUMBER and last_seen.isascii() and last_seen.isdecimal():
        return int(last_seen)
    return None
