"""Whether a ticket goes back in line by itself if its lease is taken away before the end."""

from __future__ import annotations

from dataclasses import replace

from labpool.domain.tickets import State
from labpool.service.desk import Desk, NotNow
from labpool.store import Transaction


async def wish_to_start_again(desk: Desk, ticket_id: str, wish: bool, actor: str) -> None:
    """Note what the ticket's user wants.

    Raises:
        NoSuchTicket: no ticket has this id.
        NotNow: the ticket has ended.
    """

    def write(change: Transaction) -> None:
        ticket = desk.get(change, ticket_id)
        if ticket.state is State.ENDED:
            raise NotNow("This ticket has ended, so nothing of it starts again.")
        desk.save(change, replace(ticket, starts_again=wish), actor, "starts_again" if wish else "starts_no_more")

    await desk.change(write, replan=False)
