"""What becomes of a ticket in line but a start: its owner, or an admin, takes it out or back in, or it can only end."""

from __future__ import annotations

from labpool.domain.ends import End, due_in_queue
from labpool.domain.tickets import EndReason, Event, State
from labpool.service.desk import Desk, NotNow
from labpool.store import Part, Transaction


async def leave_line(desk: Desk, ticket_id: str, actor: str) -> None:
    """Take a queued ticket out of the queue.

    Raises:
        NoSuchTicket: no ticket has this id.
        NotNow: the ticket isn't queued.
    """

    def cancel(change: Transaction) -> None:
        ticket = desk.get(change, ticket_id)
        if ticket.state is not State.QUEUED:
            raise NotNow(f"This ticket is {ticket.state.value}; only one that waits can leave the queue.")
        reason = EndReason.CANCELLED if actor == ticket.user else EndReason.ENDED_BY_ADMIN
        desk.finish(change, ticket, Event.END, reason, actor)

    await desk.change(cancel)


async def say_ready(desk: Desk, ticket_id: str, actor: str) -> None:
    """Let a ticket whose last grant went unclaimed be granted again.

    Raises:
        NoSuchTicket: no ticket has this id.
        NotNow: the ticket doesn't wait for that.
    """

    def write(change: Transaction) -> None:
        ticket = desk.get(change, ticket_id)
        if ticket.state is not State.QUEUED or ticket.ready:
            raise NotNow("Only a ticket whose GPUs were kept and not used waits for you to say ready.")
        desk.save(change, ticket.said_ready(desk.clock()), actor, "ready")

    await desk.change(write)


def tidy_line(desk: Desk, change: Transaction) -> None:
    """End tickets in line that nothing will come of: what they ask for is gone, or nobody said ready for too long."""
    for ticket in change.open_tickets():
        if ticket.state is not State.QUEUED:
            continue
        action = due_in_queue(ticket, desk.catalogue, desk.clock())
        if isinstance(action, End):
            desk.finish(change, ticket, Event.END, action.reason, Part.POOL)
