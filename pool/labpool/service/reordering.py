"""One's own tickets change places: the one that steps back is promised anew, and nobody else's promise moves."""

from __future__ import annotations

from dataclasses import replace

from labpool.domain.tickets import State, Ticket
from labpool.service.desk import Desk, NotNow
from labpool.service.engine_decides import only_a_planner_can
from labpool.service.trail import note
from labpool.store import Transaction


async def step_behind(desk: Desk, ticket_id: str, other_id: str, actor: str) -> None:
    """Move a waiting ticket behind another one of the same user, which may take its place.

    Raises:
        NoSuchTicket: one of both is not there.
        NotNow: they don't wait in one line for the same kind of GPUs, the first stands behind the second already, the
            other one would not gain, or the hub can't start servers now. Nothing has changed then.
        Rejected: the engine decides who is next.
    """
    only_a_planner_can(desk, "a change of places", "Leave the queue with the one that may wait, and ask for it again.")

    def write(change: Transaction) -> None:
        ticket, other = desk.get(change, ticket_id), desk.get(change, other_id)
        if not desk.hub_answers:
            raise NotNow("The hub does not answer now, so nothing is planned. Try again in a minute.")
        _check(ticket, other)
        before = _planned(change, other_id)
        # Out of line for a moment, so that its place is there for the other one; both steps are kept or neither.
        change.save_ticket(replace(ticket, ready=False))
        desk.decide(change, first=other_id)
        if not _gained(change, other_id, before):
            raise NotNow("That would not let the other one start sooner, so both keep their places.")
        moved = ticket.behind(other)
        change.save_ticket(moved)
        note(change, desk.clock(), actor, "stepped_behind", ticket_id, f"behind {other_id}, with a new promise if any")
        desk.decide(change)

    await desk.change(write, replan=False)


def _check(ticket: Ticket, other: Ticket) -> None:
    for each in (ticket, other):
        if each.state is not State.QUEUED or not each.ready:
            raise NotNow(f"Ticket {each.id} is not in line; only tickets that wait change places.")
    if ticket.user != other.user or ticket.flavour != other.flavour or ticket.id == other.id:
        raise NotNow("Only two tickets of one person for the same kind of GPUs change places.")
    if ticket.in_line_since > other.in_line_since:
        raise NotNow("It stands behind that one already.")


def _planned(change: Transaction, ticket: str) -> float | None:
    start = next((slot.start for slot in change.slots() if slot.ticket == ticket), None)
    return start.timestamp() if start else None


def _gained(change: Transaction, ticket: str, before: float | None) -> bool:
    if change.lease_of(ticket) is not None:
        return True
    after = _planned(change, ticket)
    return after is not None and (before is None or after < before)
