"""Letting a running lease end later, where that delays nobody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from labpool.domain.extending import Extended, extend, longest_extension
from labpool.domain.leases import Lease
from labpool.domain.notices import NoticeKind
from labpool.domain.reasons import ExtensionReason, NotExtended
from labpool.domain.tickets import State, Ticket
from labpool.domain.words import span
from labpool.domain.world import World
from labpool.hub_signin import Refusal
from labpool.service.desk import Desk
from labpool.service.problems import Rejected
from labpool.service.telling import tell
from labpool.service.trail import note
from labpool.store import Notice, Transaction

_NEVER = frozenset({ExtensionReason.TOO_SHORT, ExtensionReason.TOO_LONG_IN_ALL})
"""What no waiting changes; all else is so for now."""


async def extend_lease(desk: Desk, ticket_id: str, by: timedelta, actor: str) -> None:
    """Give a ticket's lease a later end, and the planner the schedule with it.

    Raises:
        NoSuchTicket: no ticket has this id.
        Rejected: it can't be extended by so much now; the problem says why and what to do.
    """

    def write(change: Transaction) -> Extended | NotExtended:
        found = extend(desk.get(change, ticket_id), desk.world(change), desk.clock(), by)
        if isinstance(found, Extended):
            _write(desk, change, found, by, actor)
        return found

    outcome = await desk.change(write)
    if isinstance(outcome, NotExtended):
        raise Rejected(_as_problem(outcome))


def extension_shown(ticket: Ticket, lease: Lease | None, world: World, now: datetime) -> dict[str, Any]:
    """What a ticket's view says of extending; nothing unless its server is in use."""
    if lease is None or ticket.state is not State.RUNNING:
        return {}
    longest = longest_extension(ticket, world, now)
    if isinstance(longest, NotExtended):
        return {"no_extension": f"{longest.message} {longest.remedy}"}
    return {"extendable_until": lease.ends + longest}


def _write(desk: Desk, change: Transaction, found: Extended, by: timedelta, actor: str) -> None:
    ticket, now = found.ticket, desk.clock()
    change.save_ticket(ticket)
    change.save_lease(found.lease)
    note(change, now, actor, "extended", ticket.id, f"by {span(by)}, until {found.ends.isoformat()}")
    who = "You" if actor == ticket.user else "An admin"
    message = f"{who} extended this server by {span(by)}."
    key = f"{found.ends.isoformat()}/extended"
    tell(change, Notice(ticket.id, key, NoticeKind.EXTENDED.value, now, message, found.ends))


def _as_problem(refused: NotExtended) -> Refusal:
    status = 422 if refused.reason in _NEVER else 409
    return Refusal(status, refused.reason.value, "Not extended", refused.message, refused.remedy)
