"""Tickets: one request for devices each, and the only ways a ticket may change its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum


class TicketKind(str, Enum):
    """What a ticket is for."""

    SERVER = "server"


class Priority(str, Enum):
    """Class of a ticket: a higher one is planned first, and a lower one gives way."""

    INTERACTIVE = "interactive"
    BATCH = "batch"
    SCAVENGER = "scavenger"

    @property
    def rank(self) -> int:
        """0 is the highest."""
        return _RANKS[self]


_RANKS = {priority: rank for rank, priority in enumerate(Priority)}


class State(str, Enum):
    """Where a ticket stands."""

    QUEUED = "queued"
    GRANTED = "granted"
    RUNNING = "running"
    RECLAIMING = "reclaiming"
    ENDED = "ended"


class EndReason(str, Enum):
    """Why a ticket ended."""

    STOPPED = "stopped"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    PREEMPTED = "preempted"
    TIME_LIMIT = "time_limit"
    LOST = "lost"
    NO_LONGER_MEMBER = "no_longer_member"
    PROFILE_REMOVED = "profile_removed"
    PROJECT_REMOVED = "project_removed"
    ENDED_BY_ADMIN = "ended_by_admin"


class Event(str, Enum):
    """What can happen to a ticket."""

    GRANT = "grant"
    FIRST_USE = "first_use"
    UNCLAIMED = "unclaimed"
    RECLAIM = "reclaim"
    REQUEUE = "requeue"
    END = "end"


_WAITING_ENDS = frozenset(
    {
        EndReason.CANCELLED,
        EndReason.EXPIRED,
        EndReason.NO_LONGER_MEMBER,
        EndReason.PROFILE_REMOVED,
        EndReason.PROJECT_REMOVED,
        EndReason.ENDED_BY_ADMIN,
    }
)
_HOLDING_ENDS = frozenset(
    {
        EndReason.STOPPED,
        EndReason.FAILED,
        EndReason.TIME_LIMIT,
        EndReason.LOST,
        EndReason.NO_LONGER_MEMBER,
        EndReason.PROFILE_REMOVED,
        EndReason.PROJECT_REMOVED,
        EndReason.ENDED_BY_ADMIN,
    }
)
_TAKEN_ENDS = _HOLDING_ENDS | {EndReason.PREEMPTED}

TRANSITIONS: Mapping[tuple[State, Event], State] = {
    (State.QUEUED, Event.GRANT): State.GRANTED,
    (State.QUEUED, Event.END): State.ENDED,
    (State.GRANTED, Event.FIRST_USE): State.RUNNING,
    (State.GRANTED, Event.UNCLAIMED): State.QUEUED,
    (State.GRANTED, Event.RECLAIM): State.RECLAIMING,
    (State.GRANTED, Event.REQUEUE): State.QUEUED,
    (State.GRANTED, Event.END): State.ENDED,
    (State.RUNNING, Event.RECLAIM): State.RECLAIMING,
    (State.RUNNING, Event.REQUEUE): State.QUEUED,
    (State.RUNNING, Event.END): State.ENDED,
    (State.RECLAIMING, Event.REQUEUE): State.QUEUED,
    (State.RECLAIMING, Event.END): State.ENDED,
}

END_REASONS: Mapping[State, frozenset[EndReason]] = {
    State.QUEUED: _WAITING_ENDS,
    State.GRANTED: _HOLDING_ENDS | {EndReason.EXPIRED},
    State.RUNNING: _TAKEN_ENDS,
    State.RECLAIMING: _TAKEN_ENDS,
    State.ENDED: frozenset(),
}

HOLDING = frozenset({State.GRANTED, State.RUNNING, State.RECLAIMING})
OPEN = HOLDING | {State.QUEUED}


class IllegalTransition(ValueError):
    """An event that the transition table does not allow in a ticket's state; a caller's mistake."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request for devices, from the asking to the end.

    `name` says what it is for within the user's things (a server's name, "" for the default one). `starts_by` is the
    promise, one for each time in line. `ready` is False after a grant that nobody claimed, until the user says so.
    `likely_start` is the first estimate, made a moment after asking, kept so that its error can be measured.
    `starts_again`: whether it goes back in line by itself when its lease is taken away before the end. `moved_to`:
    where its user moved it in the line, behind another ticket of theirs.
    """

    id: str
    user: str
    groups: frozenset[str]
    name: str
    project: str
    profile: str
    flavour: str
    gpus: int
    duration: timedelta
    requested_at: datetime
    kind: TicketKind = TicketKind.SERVER
    priority: Priority = Priority.INTERACTIVE
    state: State = State.QUEUED
    attempt: int = 1
    ready: bool = True
    unclaimed: int = 0
    starts_again: bool = True
    starts_by: datetime | None = None
    likely_start: datetime | None = None
    changed_at: datetime | None = None
    end_reason: EndReason | None = None
    moved_to: datetime | None = None

    def after(self, event: Event, now: datetime, reason: EndReason | None = None) -> Ticket:
        """This ticket after `event`. Back in the queue it has no promise; a new one comes with its next slot.

        Raises:
            IllegalTransition: the table has no such step, or `reason` does not belong to it.
        """
        to = TRANSITIONS.get((self.state, event))
        if to is None:
            raise IllegalTransition(f"ticket {self.id} is {self.state.value}; {event.value} cannot happen to it now")
        if (to is State.ENDED) != (reason is not None) or (reason and reason not in END_REASONS[self.state]):
            said = reason.value if reason else "no reason"
            raise IllegalTransition(f"ticket {self.id} cannot end from {self.state.value} with {said}")
        after = replace(self, state=to, changed_at=now, end_reason=reason)
        match event:
            case Event.UNCLAIMED:
                return replace(after, ready=False, unclaimed=self.unclaimed + 1, starts_by=None)
            case _:
                return after

    def requeued(self, now: datetime, left: timedelta, falls_back: bool = False) -> Ticket:
        """This ticket back in line after its lease was taken away or lost, for the time that it still lacks.

        It stands where it stood, or at the end where it went unclaimed before. Where it `falls_back` on the place that
        it was promised, the promise stands; else it has none, and the next one comes with its next slot, if it
        qualifies.

        Raises:
            IllegalTransition: it holds nothing that could be taken away.
        """
        promise = self.starts_by if falls_back else None
        return replace(self.after(Event.REQUEUE, now), attempt=self.attempt + 1, duration=left, starts_by=promise)

    def said_ready(self, now: datetime) -> Ticket:
        """This ticket back in line, at its end, after its user said "ready".

        Raises:
            IllegalTransition: it is not waiting for that.
        """
        if self.state is not State.QUEUED or self.ready:
            raise IllegalTransition(f"ticket {self.id} does not wait for its user to say ready")
        return replace(self, ready=True, changed_at=now)

    def behind(self, other: Ticket) -> Ticket:
        """This waiting ticket just behind another one, without a promise; the next one comes with its next slot."""
        return replace(self, moved_to=other.in_line_since + timedelta(microseconds=1), starts_by=None)

    @property
    def waits(self) -> bool:
        """Whether it stands in line: queued, and not left unclaimed before its user says "ready"."""
        return self.state is State.QUEUED and self.ready

    @property
    def in_line_since(self) -> datetime:
        """What its place is counted by: the request, or the last "ready" of one that went unclaimed before."""
        since = self.changed_at if self.unclaimed and self.changed_at else self.requested_at
        return max(since, self.moved_to) if self.moved_to else since
