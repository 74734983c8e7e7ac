"""Why a lease was given back, and what its holder is told of its end, before it or after."""

from __future__ import annotations

from datetime import datetime, timedelta

from labpool.domain.leases import Lease
from labpool.domain.sentences import lost_sentence
from labpool.domain.tickets import EndReason, State, Ticket
from labpool.store import Notice


def ending_notice(ticket: Ticket, lease: Lease, before_end: timedelta, now: datetime) -> Notice:
    """The notice that has come due so long before the end."""
    taken = ticket.state is State.RECLAIMING
    kind = "taken_back" if taken else "ending"
    why = "The GPUs that you borrowed go back soon." if taken else "Your GPU hours end soon."
    message = f"{why} Save your work: the server is stopped then, and your files stay."
    key = f"{lease.ends.isoformat()}/{kind}/{before_end.total_seconds():g}"
    return Notice(ticket.id, key, kind, now, message, lease.ends)


def lost_notice(ticket: Ticket, left: timedelta, now: datetime) -> Notice:
    """The notice that a lease's machine is gone, and that its ticket is in line again."""
    return Notice(ticket.id, f"{ticket.attempt}/lost", "lost", now, lost_sentence(left))


def reason_of_giving_back(ticket: Ticket, actor: str) -> EndReason:
    """Why a lease ends that `actor` gave back."""
    return EndReason.STOPPED if actor == ticket.user else EndReason.ENDED_BY_ADMIN
