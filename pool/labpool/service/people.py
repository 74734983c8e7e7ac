"""Erasing a person who has left."""

from __future__ import annotations

from labpool.domain.words import count
from labpool.hub_signin import Refusal
from labpool.service.desk import Desk
from labpool.service.problems import Rejected
from labpool.service.trail import note
from labpool.store import Erased, Transaction


async def erase_person(desk: Desk, name: str, actor: str) -> Erased:
    """Keep a person's records under the pseudonym only, with an audit row.

    Raises:
        Rejected: nobody has this name, it is the actor's own, or the person still waits or holds something.
    """
    if name == actor:
        raise Rejected(_yourself())

    def write(change: Transaction) -> Erased | Refusal:
        still_open = [ticket.id for ticket in change.open_tickets() if ticket.user == name]
        if still_open:
            return _still_here(name, still_open)
        erased = change.erase(name)
        if erased is None:
            return _nobody(name)
        kept = f"{count(erased.tickets, 'ticket')} and {count(erased.leases, 'lease')} stay as {erased.pseudonym}'s"
        note(change, desk.clock(), actor, "person_erased", None, kept)
        return erased

    done = await desk.change(write, replan=False)
    if isinstance(done, Refusal):
        raise Rejected(done)
    return done


def _still_here(name: str, tickets: list[str]) -> Refusal:
    return Refusal(
        409,
        "person_has_open_tickets",
        "Not erased",
        f"{name} still has {count(len(tickets), 'open ticket')}: {', '.join(tickets)}.",
        "End them first, on their pages at /services/pool/tickets/ or with POST /api/v1/tickets/<id>/leave or /end.",
    )


def _yourself() -> Refusal:
    return Refusal(
        409,
        "not_yourself",
        "Not erased",
        "Nobody can erase themselves: the audit trail says who did it.",
        "Ask another admin.",
    )


def _nobody(name: str) -> Refusal:
    return Refusal(
        404,
        "no_such_person",
        "Nobody has this name",
        f"The pool has no record of {name}.",
        "Write the name as the hub has it; who was erased already has none any more.",
    )
