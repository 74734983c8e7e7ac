"""What an engine decided that has a queue of its own: who of those in line has its turn, where, and who gives back.

Such an engine decides order, borrowing and taking back. Limits of users, budgets, membership and hours stay the pool's:
it shows the engine only those whom they allow to start, and looks again once the engine has decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from labpool.domain.reasons import WaitReason
from labpool.domain.tickets import Ticket


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the engine decided on one ticket.

    `attempt` and `unclaimed` are those of the ticket when it was shown. `node` is where it has its turn, empty while it
    has none. `goes_back`: the engine wants what it gave to be given back, `taken_for` the ticket of this pool that gets
    it, empty for somebody else. `place` is that in its project's line, 1 is next, and `why` is why it waits, where the
    engine says so.
    """

    ticket: str
    attempt: int = 1
    unclaimed: int = 0
    node: str = ""
    goes_back: bool = False
    taken_for: str = ""
    place: int | None = None
    why: WaitReason | None = None

    def is_on(self, ticket: Ticket) -> bool:
        """Whether it is on a ticket as it is now, and not as it stood in line before it missed a turn, say."""
        return (self.attempt, self.unclaimed) == (ticket.attempt, ticket.unclaimed)

    def gives(self, ticket: Ticket) -> bool:
        """Whether it is the turn of a ticket now."""
        return bool(self.node) and not self.goes_back and self.is_on(ticket)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All of it, by ticket. `others` counts the devices of each flavour that work of nobody in this pool holds.

    `may_pass`: in a project's line who fits goes before who doesn't. Until the engine was `heard`, nothing of what it
    has decided is known.
    """

    of: Mapping[str, Verdict] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=Counter)
    heard: bool = True
    may_pass: bool = False
