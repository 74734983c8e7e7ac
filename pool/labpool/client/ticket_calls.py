"""Calls about tickets and the pool, by people and their programs."""

from __future__ import annotations

from collections.abc import Sequence

from labpool.api_models import (
    EndAsked,
    FormView,
    MoreHours,
    OfferTaken,
    PoolView,
    ServerAsked,
    StartsAgain,
    StepBehind,
    TicketPage,
    TicketView,
)
from labpool.client.wire import Call, nothing, segment


def pool() -> Call[PoolView]:
    """Ask how the pool stands."""
    return Call("GET", "/api/v1/pool", PoolView.model_validate_json)


def profiles() -> Call[FormView]:
    """Ask what one's profiles would meet."""
    return Call("GET", "/api/v1/profiles", FormView.model_validate_json)


def tickets(states: Sequence[str], project: str | None, limit: int, cursor: str | None) -> Call[TicketPage]:
    """Ask for a page of tickets."""
    query = {
        "state": list(states),
        "project": [project] if project is not None else [],
        "limit": [str(limit)],
        "cursor": [cursor] if cursor is not None else [],
    }
    return Call("GET", "/api/v1/tickets", TicketPage.model_validate_json, query=query)


def ask(asked: ServerAsked, key: str) -> Call[TicketView]:
    """Ask for a server of one's own."""
    headers = {"Idempotency-Key": key} if key else {}
    return Call("POST", "/api/v1/tickets", TicketView.model_validate_json, body=asked, headers=headers)


def ticket(ticket: str) -> Call[TicketView]:
    """Ask for one ticket."""
    return Call("GET", f"/api/v1/tickets/{segment(ticket)}", TicketView.model_validate_json)


def leave(ticket: str) -> Call[TicketView]:
    """Ask to leave the queue."""
    return Call("POST", f"/api/v1/tickets/{segment(ticket)}/leave", TicketView.model_validate_json)


def ready(ticket: str) -> Call[TicketView]:
    """Say that one is there now."""
    return Call("POST", f"/api/v1/tickets/{segment(ticket)}/ready", TicketView.model_validate_json)


def switch(ticket: str) -> Call[TicketView]:
    """Ask for the CPU server of the ticket's name to be stopped."""
    return Call("POST", f"/api/v1/tickets/{segment(ticket)}/switch", TicketView.model_validate_json)


def instead(ticket: str, offer: OfferTaken) -> Call[TicketView]:
    """Ask for what would start now in place of a waiting ticket."""
    return Call("POST", f"/api/v1/tickets/{segment(ticket)}/instead", TicketView.model_validate_json, body=offer)


def again(ticket: str, starts_again: bool) -> Call[TicketView]:
    """Say whether a ticket starts again by itself."""
    path, wish = f"/api/v1/tickets/{segment(ticket)}/again", StartsAgain(starts_again=starts_again)
    return Call("POST", path, TicketView.model_validate_json, body=wish)


def behind(ticket: str, other: str) -> Call[TicketView]:
    """Ask to let another ticket of one's own go first."""
    path, step = f"/api/v1/tickets/{segment(ticket)}/behind", StepBehind(ticket=other)
    return Call("POST", path, TicketView.model_validate_json, body=step)


def extend(ticket: str, hours: float) -> Call[TicketView]:
    """Ask for more hours on a running ticket."""
    path, more = f"/api/v1/tickets/{segment(ticket)}/extend", MoreHours(hours=hours)
    return Call("POST", path, TicketView.model_validate_json, body=more)


def end(ticket: str, why: str) -> Call[TicketView]:
    """Ask for a lease's end."""
    path, said = f"/api/v1/tickets/{segment(ticket)}/end", EndAsked(why=why)
    return Call("POST", path, TicketView.model_validate_json, body=said)


def events(ticket: str) -> Call[None]:
    """Ask for one ticket as a stream."""
    return Call("GET", f"/api/v1/tickets/{segment(ticket)}/events", nothing)


def notices(after: int | None) -> Call[None]:
    """Ask for one's notices as a stream."""
    headers = {"Last-Event-ID": str(after)} if after is not None else {}
    return Call("GET", "/api/v1/me/notices", nothing, headers=headers)
