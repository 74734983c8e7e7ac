"""Writing down what the planner decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from labpool.domain.catalogue import Catalogue
from labpool.domain.leases import Lease
from labpool.domain.notices import NoticeKind
from labpool.domain.plans import BrokenPromise, Grant, Plan, Taken
from labpool.domain.sentences import TAKEN_BACK, broken_sentence
from labpool.domain.tickets import Event, State
from labpool.domain.turn_sentences import TAKEN_ELSEWHERE
from labpool.domain.words import clock, count
from labpool.service.telling import tell
from labpool.service.trail import note
from labpool.store import Notice, Part, Transaction


def apply_plan(change: Transaction, decided: Plan, catalogue: Catalogue, now: datetime) -> None:
    """Write a plan: grants become leases, first slots become promises, broken ones are counted with their cause."""
    for ticket_id, starts_by in decided.promises.items():
        _promise(change, ticket_id, starts_by)
    for broken in decided.broken:
        _note_broken(change, broken, now)
    for grant in decided.grants:
        write_grant(change, grant, catalogue, now)
    for taken in decided.taken:
        _take_back(change, taken, now)
    change.replace_slots(decided.slots)


def _promise(change: Transaction, ticket_id: str, starts_by: datetime) -> None:
    ticket = change.ticket(ticket_id)
    if ticket is not None:
        change.save_ticket(replace(ticket, starts_by=starts_by))


def _note_broken(change: Transaction, broken: BrokenPromise, now: datetime) -> None:
    planned = broken.planned.isoformat() if broken.planned else "nothing yet"
    detail = f"promised {broken.promised.isoformat()}, planned {planned}: {broken.cause.value}"
    note(change, now, Part.PLANNER, "promise_broken", broken.ticket, detail)
    key = f"{broken.promised.isoformat()}/broken/{broken.cause.value}"
    said = broken_sentence(broken, timezone.utc, now)
    tell(change, Notice(broken.ticket, key, NoticeKind.PROMISE_BROKEN.value, now, said))


def write_grant(
    change: Transaction, grant: Grant, catalogue: Catalogue, now: datetime, actor: str = Part.PLANNER
) -> None:
    """Make a lease of a grant, by the planner or by an admin, and tell the ticket's owner."""
    ticket = change.ticket(grant.ticket)
    if ticket is None:
        return
    change.save_ticket(ticket.after(Event.GRANT, now))
    who = (ticket.id, ticket.user, ticket.name, ticket.project, ticket.flavour)
    charge = catalogue.charge_of(ticket.flavour)
    change.save_lease(Lease(*who, grant.devices, grant.starts, grant.ends, charge=charge))
    note(change, now, actor, "granted", ticket.id, f"devices {', '.join(grant.devices)}")
    message = f"It is your turn: {count(len(grant.devices), 'GPU')} until {clock(grant.ends, timezone.utc, now)}."
    key = f"{grant.starts.isoformat()}/granted"
    tell(change, Notice(ticket.id, key, NoticeKind.GRANTED.value, now, message, grant.ends))


def _take_back(change: Transaction, taken: Taken, now: datetime) -> None:
    ticket, lease, owner = change.ticket(taken.ticket), change.lease_of(taken.ticket), change.ticket(taken.taken_for)
    if ticket is None or lease is None:
        return
    change.save_ticket(ticket.after(Event.RECLAIM, now))
    change.save_lease(replace(lease, ends=taken.ends, taken_unused=ticket.state is State.GRANTED))
    taker = f"for {owner.id} of {owner.project}" if owner else "for the engine's queue"
    detail = f"{taker}, at {taken.ends.isoformat()}"
    note(change, now, Part.PLANNER, "taken_back", ticket.id, detail)
    key = f"{lease.starts.isoformat()}/taken"
    said = TAKEN_BACK if owner else TAKEN_ELSEWHERE
    tell(change, Notice(ticket.id, key, NoticeKind.TAKEN_BACK.value, now, said, taken.ends))
