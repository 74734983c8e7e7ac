"""Lists of tickets: who sees which, and with whose names."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from labpool.api_models import TicketPage, TicketSummary
from labpool.domain.catalogue import Catalogue
from labpool.domain.leases import Slot
from labpool.domain.tickets import State, Ticket
from labpool.hub_signin import Refusal, SignedIn
from labpool.service.access import ADMIN
from labpool.service.desk import Desk
from labpool.service.problems import Rejected
from labpool.store import Transaction, Wanted


def not_a_cursor() -> Refusal:
    """A cursor was sent that no list gave."""
    return Refusal(
        422,
        "not_a_cursor",
        "Not listed",
        "The cursor is none that this pool gave out.",
        "Begin without one, and send the `cursor` of the answer as it is.",
    )


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody may see: everything (`all`), own tickets, those of `projects`, and with names those of `owned`."""

    user: str
    all: bool
    projects: frozenset[str]
    owned: frozenset[str]

    @classmethod
    def of(cls, user: SignedIn, catalogue: Catalogue) -> Sight:
        """What `user` may see."""
        person = user.kind == "user"
        mine = catalogue.projects_of(user.name, user.groups) if person else ()
        owned = frozenset(each.name for each in mine if each.has_owner(user.name, user.groups))
        name = user.name if person else ""
        return cls(name, user.has_scope(ADMIN), frozenset(each.name for each in mine), owned)

    def sees(self, ticket: Ticket) -> bool:
        """Whether the ticket is listed."""
        return self.all or ticket.user == self.user or ticket.project in self.projects

    def knows(self, ticket: Ticket) -> bool:
        """Whether it is listed with its user's name."""
        return self.all or ticket.user == self.user or ticket.project in self.owned


async def page_of(
    desk: Desk, user: SignedIn, states: Collection[State], project: str | None, limit: int, cursor: str | None
) -> TicketPage:
    """The newest tickets that `user` may see, those after `cursor`.

    Raises:
        Rejected: the cursor is none of ours.
    """
    sight = Sight.of(user, desk.catalogue)
    who = None if sight.all else sight.user
    wanted = Wanted(states or tuple(State), limit + 1, project, who, sight.projects, _place(cursor) if cursor else None)

    def read(view: Transaction) -> TicketPage:
        found = view.newest_tickets(wanted)
        slots = {slot.ticket: slot for slot in view.slots()}
        shown = tuple(_summary(each, view, slots, sight.knows(each)) for each in found[:limit])
        hidden = sum(each.state is State.QUEUED and not sight.sees(each) for each in view.open_tickets())
        more = _cursor(found[limit - 1]) if len(found) > limit else None
        return TicketPage(tickets=shown, cursor=more, others_queued=hidden)

    return await desk.view(read)


def _summary(ticket: Ticket, view: Transaction, slots: Mapping[str, Slot], named: bool) -> TicketSummary:
    lease, slot, waits = view.lease_of(ticket.id), slots.get(ticket.id), ticket.state is State.QUEUED
    return TicketSummary(
        id=ticket.id,
        kind=ticket.kind.value,
        user=ticket.user if named else None,
        name=ticket.name if named else None,
        project=ticket.project,
        profile=ticket.profile,
        flavour=ticket.flavour,
        gpus=ticket.gpus,
        hours=ticket.duration / timedelta(hours=1),
        state=ticket.state.value,
        requested_at=ticket.requested_at,
        starts_by=ticket.starts_by if waits else None,
        planned_start=slot.start if slot and waits else None,
        ends=lease.ends if lease else None,
        end_reason=ticket.end_reason.value if ticket.end_reason else None,
    )


def _cursor(ticket: Ticket) -> str:
    return base64.urlsafe_b64encode(f"{ticket.requested_at.isoformat()} {ticket.id}".encode()).decode()


def _place(cursor: str) -> tuple[datetime, str]:
    try:
        at, _, ticket = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("naive")
    except (ValueError, binascii.Error) as error:
        raise Rejected(not_a_cursor()) from error
    return moment, ticket
