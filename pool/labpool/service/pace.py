"""How often the pool looks round."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from labpool.domain.catalogue import QueueRules
from labpool.domain.ends import claim_by, stop_at
from labpool.domain.leases import Lease
from labpool.domain.tickets import State, Ticket
from labpool.store import Transaction

SOON = 1.0
"""Seconds between two looks while somebody waits for a server to come up or go down."""

_BREATHS, _LONGEST_BREATH = 4, 3.0

Held = tuple[Ticket, Lease]


def all_held(view: Transaction) -> list[Held]:
    """All tickets that hold a lease, each with it."""
    leases = {lease.ticket: lease for lease in view.live_leases()}
    return [(ticket, leases[ticket.id]) for ticket in view.open_tickets() if ticket.id in leases]


def breath(look: float) -> float:
    """Seconds without a look after one that took `look` seconds: of 200 starts at once each asks for a look."""
    return min(_BREATHS * look, _LONGEST_BREATH)


def seconds_to_next(
    held: Sequence[Held], looks_at: datetime | None, rules: QueueRules, now: datetime, interval: float
) -> float:
    """Seconds from `now` to the next look: `interval` at the latest, sooner where something is due or under way.

    `looks_at` is when the planner wants to be asked again.
    """
    if any(_in_transit(ticket, lease) for ticket, lease in held):
        return min(SOON, interval)
    moments = [moment for ticket, lease in held for moment in _moments(ticket, lease, rules)]
    moments += [looks_at] if looks_at else []
    ahead = [(moment - now).total_seconds() for moment in moments if moment > now]
    return min([interval, *ahead])


def _in_transit(ticket: Ticket, lease: Lease) -> bool:
    return lease.stopping_since is not None or (ticket.state is State.GRANTED and lease.ready_at is None)


def _moments(ticket: Ticket, lease: Lease, rules: QueueRules) -> list[datetime]:
    moments = [claim_by(lease, rules)] if ticket.state is State.GRANTED else []
    moments += [lease.absent_since + rules.restart] if lease.absent_since else []
    return [*moments, lease.ends, stop_at(lease, rules), *(lease.ends - notice for notice in rules.notices)]
