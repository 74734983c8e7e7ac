"""A program asks for a server as the form does; asked again with the same key, the same ticket is the answer."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from labpool.api_models import ServerAsked, SpawnAsked, TicketView
from labpool.domain.reasons import Refusal
from labpool.hub_signin import Refusal as Refused
from labpool.hub_signin import SignedIn
from labpool.service.asking import Holds, Waits
from labpool.service.desk import Desk
from labpool.service.problems import Rejected, as_problem
from labpool.service.viewing import Seen, Viewer
from labpool.store import AskedOnce, Transaction

REMEMBERED = timedelta(days=1)
"""So long a key names the ticket that was filed with it."""


async def request_server(desk: Desk, viewer: Viewer, asked: ServerAsked, key: str, user: SignedIn) -> TicketView:
    """File a ticket for a server of the user's own, or find the one there is.

    Args:
        desk: Where tickets are filed.
        viewer: Shows the ticket.
        asked: What for.
        key: The program's own name for this request; "" for none.
        user: Whose server.

    Raises:
        Rejected: a service asks; it can never be had as asked; or the key was used for something else.
    """
    if user.kind != "user":
        raise Rejected(_only_people())
    digest = hashlib.sha256(asked.model_dump_json().encode()).hexdigest()
    wanted = SpawnAsked(user=user.name, groups=tuple(sorted(user.groups)), **asked.model_dump())

    def write(change: Transaction) -> Seen | Refused:
        since = desk.clock() - REMEMBERED
        before = change.asked_once(user.name, key, since) if key else None
        if before is not None:
            same = before.digest == digest
            return viewer.just_asked(change, desk.get(change, before.ticket)) if same else _other_body()
        match desk.answer(change, wanted):
            case Refusal() as refusal:
                return as_problem(refusal)
            case Holds(ticket=ticket) | Waits(ticket=ticket):
                if key:
                    change.remember_asked(AskedOnce(user.name, key, ticket.id, digest, desk.clock()), forget=since)
                return viewer.just_asked(change, ticket)

    found = await desk.change(write, replan=False)  # what it files is planned
    if isinstance(found, Refused):
        raise Rejected(found)
    return await viewer.shown(found)


def _only_people() -> Refused:
    return Refused(
        403,
        "not_a_person",
        "Only people have servers",
        "A service has no servers of its own, so it can't ask for one.",
        "Use a token of the person whose server it is to be.",
    )


def _other_body() -> Refused:
    return Refused(
        422,
        "key_used_before",
        "Not asked for",
        "This Idempotency-Key was used for another request within the last day.",
        "Send a new key with each new request, and the same key only to repeat one.",
    )
