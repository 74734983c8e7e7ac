"""The estimates that a replay keeps beside each other: the pool's own, and how long the last ones waited."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from labpool.domain.likely import likely_starts
from labpool.domain.run_lengths import RunLengths
from labpool.domain.tickets import Ticket
from labpool.domain.world import World

_LAST = 20
"""So many of the last waits of a size are averaged."""


@dataclass(frozen=True, slots=True)
class Estimating:
    """How a replay estimates starts: of at most `most` requests, from which run lengths, and by which chance.

    Of a long trace not every request is estimated, because each costs as much as many decisions.
    """

    most: int = 300
    lengths: Callable[[], RunLengths] = RunLengths
    seed: int = 0


class Estimates:
    """The first estimates of each ticket that had to wait."""

    def __init__(self, how: Estimating, requests: int) -> None:
        self._seed, self._lengths = how.seed, how.lengths()
        self._every = max(requests // how.most, 1) if how.most else None
        self._waiting = 0
        self._last_waits: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=_LAST))
        self._made: dict[str, tuple[datetime | None, float | None]] = {}

    def observe(self, ticket: Ticket, ran: timedelta) -> None:
        """A run is over."""
        self._lengths.observe(ticket.user, ticket.profile, ticket.duration, ran)

    def must_wait(self, ticket: Ticket, world: Callable[[], World], now: datetime) -> None:
        """A ticket has to wait: estimate its start, if it is one of those that are estimated."""
        self._waiting += 1
        if self._every is None or self._waiting % self._every:
            return
        likely = likely_starts(world(), self._lengths, ticket.flavour, now, self._seed).get(ticket.id)
        last = self._last_waits[ticket.gpus]
        self._made[ticket.id] = (likely, sum(last) / len(last) if last else None)

    def has_waited(self, ticket: Ticket, wait_s: float) -> None:
        """A ticket has started for the first time."""
        self._last_waits[ticket.gpus].append(wait_s)

    def of(self, ticket: str) -> tuple[datetime | None, float | None]:
        """The likely start of a ticket, and how many seconds the last ones of its size waited; None where unknown."""
        return self._made.get(ticket, (None, None))
