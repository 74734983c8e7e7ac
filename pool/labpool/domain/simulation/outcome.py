"""What came of a trace: every stay on devices, and every request that was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labpool.domain.plans import BrokenPromise
from labpool.domain.reasons import RefusalReason
from labpool.domain.simulation.trace import Arrival


@dataclass(frozen=True, slots=True)
class Run:
    """One stay of a request that was let in; one whose devices were taken back has several, each an attempt.

    `asked_s` is when the request came, or came back in line. `promised_s` is the latest start it was told; None without
    a promise. `likely_s` is the first estimate of its start, made when it asked and had to wait; `recent_wait_s` how
    long the last ones of its size had waited then, on average: a naive estimate to compare with. All times in seconds
    since the trace's beginning; `end_s - start_s` is what it really used.
    """

    ticket: str
    arrival: Arrival
    devices: tuple[str, ...]
    asked_s: float
    start_s: float
    end_s: float
    promised_s: float | None = None
    attempt: int = 1
    likely_s: float | None = None
    recent_wait_s: float | None = None

    @property
    def request(self) -> int:
        """Which request of the trace it is, in the order of submission; the first is 1."""
        return int(self.ticket.removeprefix("t"))

    @property
    def wait_s(self) -> float:
        """Seconds from asking to starting."""
        return self.start_s - self.asked_s

    @property
    def ran_s(self) -> float:
        """Seconds from the start to the end."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that made no ticket."""

    arrival: Arrival
    reason: RefusalReason


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that happened. `runs` stand in the order of the grants; `from_s` to `until_s` is when requests came.

    `left_line` are those that left before their turn, some of them after a run that was taken back. `devices` counts
    what could be granted, over all flavours. `grace_s`: a start so long after the promise counts as kept, since the
    pool does not look round all the time.
    """

    runs: tuple[Run, ...]
    refused: tuple[Refused, ...]
    broken: tuple[BrokenPromise, ...]
    devices: Mapping[str, int]
    from_s: float
    until_s: float
    grace_s: float
    left_line: tuple[Arrival, ...] = ()
