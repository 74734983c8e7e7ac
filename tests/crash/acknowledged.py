"""What a pool has answered, and so may never forget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from labpool.api_models import TicketView


@dataclass(frozen=True)
class Asked:
    """A request for a server, with the key that says which one it is."""

    user: str
    key: str
    body: Mapping[str, str | float]


@dataclass
class Acknowledged:
    """Grows with each answer, over all crashes. What had no answer may have happened or not."""

    owners: dict[str, str] = field(default_factory=dict)
    """Whose each ticket is that was answered with."""
    by_key: dict[tuple[str, str], str] = field(default_factory=dict)
    """The ticket of each request."""
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often something was done to a ticket: (ticket, event of the audit trail)."""
    given_back: set[str] = field(default_factory=set)
    """Tickets whose leases were to end."""
    ends: dict[str, datetime] = field(default_factory=dict)
    """The latest end of a ticket's lease that was promised."""
    promised: dict[str, datetime] = field(default_factory=dict)
    """The latest start that a waiting ticket was promised."""
    made: set[str] = field(default_factory=set)
    """Drains, reservations and overrides, by id."""
    unmade: set[str] = field(default_factory=set)
    """Those of them that were ended."""
    in_doubt: set[str] = field(default_factory=set)
    """Those of them whose end was asked for and maybe not answered."""
    unanswered: list[Asked] = field(default_factory=list)
    """Requests for servers that had no answer."""

    def shown(self, ticket: TicketView) -> None:
        """A ticket was shown: it is there, starts by then, and its lease lasts as long."""
        self.owners[ticket.id] = ticket.user
        if ticket.starts_by is not None:
            self.promised[ticket.id] = ticket.starts_by
        if ticket.lease is not None:
            self.ends[ticket.id] = max(ticket.lease.ends, self.ends.get(ticket.id, ticket.lease.ends))
