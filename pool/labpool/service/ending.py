"""Why a lease was given back, and what its holder is told of its end, before it or after."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from labpool.domain.catalogue import Catalogue, QueueRules
from labpool.domain.ends import Requeue
from labpool.domain.fallbacks import has_fallback
from labpool.domain.leases import Lease
from labpool.domain.notices import NoticeKind
from labpool.domain.sentences import lost_sentence, requeued_sentence, still_promised_sentence, unclaimed_sentence
from labpool.domain.tickets import EndReason, State, Ticket
from labpool.service.telling import tell
from labpool.store import Notice, Transaction

_UNPLACED = (
    "The machine that your GPUs are on has no room for your server: something else there takes its GPUs, CPU or "
    "memory. You are in line again, where you stood, and it starts by itself once there is room."
)


def tell_of_end(change: Transaction, ticket: Ticket, lease: Lease, before_end: timedelta, now: datetime) -> None:
    """Tell what has come due so long before the end."""
    taken = ticket.state is State.RECLAIMING
    kind = (NoticeKind.TAKEN_BACK if taken else NoticeKind.ENDING).value
    why = "The GPUs that you borrowed go back soon." if taken else "Your GPU hours end soon."
    message = f"{why} Save your work: the server is stopped then, and your files stay."
    key = f"{lease.ends.isoformat()}/{kind}/{before_end.total_seconds():g}"
    tell(change, Notice(ticket.id, key, kind, now, message, lease.ends))


def back_in_line(change: Transaction, ticket: Ticket, step: Requeue, rules: Catalogue, now: datetime) -> Ticket:
    """A ticket whose lease was taken back or lost with its machine, in line again; its owner is told."""
    falls_back = has_fallback(ticket, change.slots(), rules, now)
    kind = (NoticeKind.LOST if step.lost else NoticeKind.REQUEUED).value
    told = lost_sentence(step.left) if step.lost else requeued_sentence(step.left)
    message = _UNPLACED if step.unplaced else told
    if falls_back and ticket.starts_by is not None:
        message = f"{message} {still_promised_sentence(ticket.starts_by, timezone.utc, now)}"
    tell(change, Notice(ticket.id, f"{ticket.attempt}/{kind}", kind, now, message))
    if not falls_back:
        change.drop_slot(ticket.id)
    return ticket.requeued(now, step.left, falls_back)


def tell_unclaimed(change: Transaction, ticket: Ticket, rules: QueueRules, now: datetime) -> None:
    """Tell that nobody used a grant in time."""
    key, kind = f"{ticket.attempt}/{ticket.unclaimed}/unclaimed", NoticeKind.UNCLAIMED.value
    tell(change, Notice(ticket.id, key, kind, now, unclaimed_sentence(rules.expiry)))


def reason_of_giving_back(ticket: Ticket, actor: str) -> EndReason:
    """Why a lease ends that `actor` gave back."""
    return EndReason.STOPPED if actor == ticket.user else EndReason.ENDED_BY_ADMIN
