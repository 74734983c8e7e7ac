"""What a ticket's owner may be told, and what is no longer worth telling by the time it could be sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from labpool.domain.leases import Lease
from labpool.domain.tickets import State, Ticket

AT_ONCE = timedelta(minutes=1)
"""Who gets GPUs this soon after asking still sits in front of the page: that is no news to send after them."""


class NoticeKind(str, Enum):
    """Closed set of what there is to tell."""

    NEAR = "near"
    LIKELY_CHANGED = "likely_changed"
    GRANTED = "granted"
    ENDING = "ending"
    TAKEN_BACK = "taken_back"
    REQUEUED = "requeued"
    UNCLAIMED = "unclaimed"
    LOST = "lost"
    PROMISE_BROKEN = "promise_broken"
    EXTENDED = "extended"


USUALLY_SENT = frozenset(NoticeKind) - {NoticeKind.EXTENDED}
"""What goes out unless its reader says otherwise: all but what they have just done themselves."""


def worth_sending(kind: NoticeKind, ticket: Ticket, now: datetime) -> bool:
    """Whether a notice that comes up `now` should also go where its reader may not be: to a mailbox, to a program."""
    return kind is not NoticeKind.GRANTED or ticket.attempt > 1 or now - ticket.in_line_since >= AT_ONCE


def still_true(kind: NoticeKind, ends_at: datetime | None, ticket: Ticket, lease: Lease | None, now: datetime) -> bool:
    """Whether a notice is true `now`, which may be long after it came up.

    Args:
        kind: What it tells.
        ends_at: The end that it speaks of, if it does.
        ticket: As it stands now.
        lease: The ticket's live lease, if it has one.
        now: When it would be sent.
    """
    match kind:
        case NoticeKind.GRANTED:
            return ticket.state is State.GRANTED and _ends(lease, ends_at, now)
        case NoticeKind.ENDING | NoticeKind.TAKEN_BACK | NoticeKind.EXTENDED:
            return _ends(lease, ends_at, now)
        case NoticeKind.UNCLAIMED:
            return ticket.state is State.QUEUED and not ticket.ready
        case (
            NoticeKind.NEAR
            | NoticeKind.LIKELY_CHANGED
            | NoticeKind.REQUEUED
            | NoticeKind.LOST
            | NoticeKind.PROMISE_BROKEN
        ):
            return ticket.state is State.QUEUED


def _ends(lease: Lease | None, ends_at: datetime | None, now: datetime) -> bool:
    return lease is not None and lease.ends == ends_at and now < lease.ends
