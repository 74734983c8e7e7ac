"""Who may call what: the spawner, one ticket's server, or a signed-in person."""

from __future__ import annotations

import hmac
from math import ceil
from typing import Annotated

from fastapi import Depends, Request

from labpool.domain.tickets import Ticket
from labpool.hub_signin import Refusal, SignedIn
from labpool.service.callers import TheServer, TheSpawner, known_caller
from labpool.service.parts import Parts, parts_of
from labpool.service.problems import Rejected

READ = "custom:labpool:read"
WRITE = "custom:labpool:write"
ADMIN = "custom:labpool:admin"
METRICS = "custom:labpool:metrics"

ThePool = Annotated[Parts, Depends(parts_of)]


def bearer_token(request: Request) -> str:
    """The token of the Authorization header; empty without one."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() in {"bearer", "token"} else ""


async def only_the_spawner(request: Request, pool: ThePool) -> None:
    """Let only what runs in the hub pass.

    Raises:
        Rejected: the spawner's token is missing or another one.
    """
    if isinstance(known_caller(request), TheSpawner):
        return
    if not hmac.compare_digest(bearer_token(request).encode(), pool.spawner_token.encode()):
        raise Rejected(
            Refusal(
                401,
                "spawner_token_needed",
                "Only the hub may ask this",
                "This call needs the spawner's token, which only the hub has.",
                "For your own tickets use /services/pool/api/v1/tickets.",
            )
        )
    request.state.caller = TheSpawner()


async def only_the_server(ticket: str, request: Request, pool: ThePool) -> Ticket:
    """Let only the server of `ticket` pass, by the token of the ticket's present grant.

    Raises:
        Rejected: no such ticket or another token; the answer doesn't tell which.
    """
    token = bearer_token(request)
    found = await pool.desk.find(ticket)
    if found is None or not pool.tokens.fits(token, found):
        raise Rejected(
            Refusal(
                401,
                "ticket_token_needed",
                "Only the ticket's server may ask this",
                "The token is not the one of this ticket's present attempt.",
                "A server that was started anew has a new token in LABPOOL_TICKET_TOKEN.",
            )
        )
    request.state.caller = TheServer()
    return found


async def person(request: Request, pool: ThePool) -> SignedIn:
    """The signed-in person behind a page or an API call.

    Raises:
        Rejected: too many calls in a short time.
    """
    known = known_caller(request)
    if isinstance(known, SignedIn):
        return known  # counted where the request came in
    user = await pool.signin.require_user(request)
    wait = pool.rates.take(f"{user.kind} {user.name}")
    if wait:
        raise Rejected(_too_many(wait))
    return user


async def person_watching(request: Request, pool: ThePool) -> SignedIn:
    """The signed-in person behind an EventSource, which can send no header."""
    return await pool.signin.require_user_for_fetch(request)


def _too_many(wait: float) -> Refusal:
    seconds = ceil(wait)
    return Refusal(
        429,
        "too_many_requests",
        "Too many requests",
        "More requests came from you within a minute than any page or program needs.",
        "Try again after the seconds that Retry-After says; a program that follows a ticket uses its event stream.",
        retry_after=seconds,
    )


def needs(user: SignedIn, scope: str) -> None:
    """Refuse a token without `scope`.

    Raises:
        Rejected: with the name of the missing scope.
    """
    if not (user.has_scope(scope) or user.has_scope(ADMIN)):
        raise Rejected(
            Refusal(
                403,
                "missing_scope",
                "This token may not do that",
                f"The call needs the scope {scope}.",
                "Make a token with this scope on the hub's token page.",
            )
        )


def may_see(ticket: Ticket, user: SignedIn, pool: Parts) -> bool:
    """Whether `user` may look at a ticket: their own, their project's for an owner, any for an admin."""
    project = pool.desk.catalogue.projects.get(ticket.project)
    owns = user.kind == "user" and project is not None and project.has_owner(user.name, user.groups)
    return owns or _may_steer(ticket, user)


def _may_steer(ticket: Ticket, user: SignedIn) -> bool:
    return (user.kind == "user" and ticket.user == user.name) or user.has_scope(ADMIN)


async def seen_ticket(ticket: str, user: SignedIn, pool: Parts) -> Ticket:
    """A ticket that `user` may look at.

    Raises:
        Rejected: no such ticket, or one that they may not; the answer doesn't tell which.
    """
    found = await pool.desk.find(ticket)
    if found is None or not may_see(found, user, pool):
        raise Rejected(_no_such_ticket())
    return found


async def own_ticket(ticket: str, user: SignedIn, pool: Parts) -> Ticket:
    """A ticket that `user` may steer: their own, or any for an admin.

    Raises:
        Rejected: no such ticket, or somebody else's; the answer doesn't tell which.
    """
    found = await pool.desk.find(ticket)
    if found is None or not _may_steer(found, user):
        raise Rejected(_no_such_ticket())
    return found


def _no_such_ticket() -> Refusal:
    return Refusal(
        404,
        "no_such_ticket",
        "No such ticket",
        "You have no ticket with this address.",
        "Your tickets are listed at /services/pool/.",
    )


Person = Annotated[SignedIn, Depends(person)]


async def admin(user: Person) -> SignedIn:
    """The person or program behind an API call that only admins may make."""
    needs(user, ADMIN)
    return user


Admin = Annotated[SignedIn, Depends(admin)]
PersonWatching = Annotated[SignedIn, Depends(person_watching)]


async def reader_watching(user: PersonWatching) -> SignedIn:
    """The person behind an EventSource, who may read; refused before the stream begins, so with its own status."""
    needs(user, READ)
    return user


ReaderWatching = Annotated[SignedIn, Depends(reader_watching)]


async def own_ticket_watched(ticket: str, user: ReaderWatching, pool: ThePool) -> Ticket:
    """The ticket of an EventSource, which its person may see."""
    return await own_ticket(ticket, user, pool)


async def seen_ticket_watched(ticket: str, user: ReaderWatching, pool: ThePool) -> Ticket:
    """The ticket of an event stream, which its person may look at."""
    return await seen_ticket(ticket, user, pool)


OwnTicketWatched = Annotated[Ticket, Depends(own_ticket_watched)]
SeenTicketWatched = Annotated[Ticket, Depends(seen_ticket_watched)]
TheServersTicket = Annotated[Ticket, Depends(only_the_server)]
