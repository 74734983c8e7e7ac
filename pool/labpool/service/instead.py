"""Taking what could start now instead of waiting: the old ticket is given up only where the new one gets its lease."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta

from labpool.domain.sooner import Offer, sooner
from labpool.domain.tickets import EndReason, Event, Ticket
from labpool.service.desk import Desk, NotNow
from labpool.store import Transaction


async def take_instead(desk: Desk, ticket_id: str, profile: str, duration: timedelta, actor: str) -> Ticket:
    """Give up a queued ticket for another one that starts now; give the new one.

    Raises:
        NoSuchTicket: no ticket has this id.
        NotNow: that can't start now (any more). The old ticket keeps its place.
    """

    def swap(change: Transaction) -> Ticket:
        if not desk.hub_answers:
            raise NotNow("The hub does not answer now, and it is the hub that starts servers. Try again in a minute.")
        ticket = desk.get(change, ticket_id)
        offers = sooner(ticket, desk.world(change), desk.clock())
        offer = next((each for each in offers if each.profile.name == profile and duration <= each.duration), None)
        if offer is None:
            raise NotNow("That can't start now any more; you keep your place in line.")
        desk.finish(change, ticket, Event.END, EndReason.CANCELLED, actor)
        asked = _instead(ticket, replace(offer, duration=duration), desk)
        desk.file(change, asked, first=True)
        if change.lease_of(asked.id) is None:
            raise NotNow("Somebody else was faster; you keep your place in line.")
        return asked

    return await desk.change(swap, replan=False)


def _instead(ticket: Ticket, offer: Offer, desk: Desk) -> Ticket:
    return Ticket(
        id=secrets.token_hex(8),
        user=ticket.user,
        groups=ticket.groups,
        name=ticket.name,
        project=ticket.project,
        profile=offer.profile.name,
        flavour=offer.profile.flavour or "",
        gpus=offer.profile.gpus,
        duration=offer.duration,
        requested_at=desk.clock(),
        priority=offer.profile.priority,
    )
