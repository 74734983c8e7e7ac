"""What the owner of a ticket in line, or an admin, may do with it: leave the line, or take part again."""

from __future__ import annotations

from labpool.domain.tickets import EndReason, Event, State
from labpool.service.desk import Desk, NotNow
from labpool.store import Transaction


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
