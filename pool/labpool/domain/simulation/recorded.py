"""A trace made from what really happened in a pool: one arrival for each time that somebody joined the line.

A request whose devices were taken back is one arrival with all its stays, as the replay takes back and puts in line by
itself. One whose server went unused is several: it loses its place, and joins the line anew with its user's "ready".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from labpool.domain.simulation.trace import Arrival
from labpool.domain.tickets import HOLDING, State, Ticket


@dataclass(frozen=True, slots=True)
class Stay:
    """A lease as the pool remembers it. `ended_at` is None while it is held."""

    starts: datetime
    ends: datetime
    ended_at: datetime | None


class Step(str, Enum):
    """Steps of a ticket that tell its stays apart, by the names that the audit trail has for them."""

    GRANTED = "granted"
    REQUEUED = "requeued"
    UNCLAIMED = "unclaimed"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Past:
    """All that a pool knows of one ticket: its stays, and its steps with their times, in order."""

    ticket: Ticket
    stays: tuple[Stay, ...] = ()
    steps: tuple[tuple[datetime, Step], ...] = ()


class Fate(Enum):
    """What became of an arrival."""

    RAN = "ran"
    UNUSED = "unused"
    LEFT = "left"
    WAITS = "waits"
    RUNS = "runs"


@dataclass(frozen=True, slots=True)
class Recording:
    """A trace, the time of its second 0, how many of its arrivals had which fate, and what is missing before it.

    `under_way` counts requests from before the trace that waited or ran when it begins.
    """

    arrivals: tuple[Arrival, ...]
    begins: datetime
    fates: Counter[Fate]
    under_way: int


@dataclass(slots=True)
class _Joining:
    """One time that a ticket joined the line, the stays that came of it, and which of them were taken back."""

    at: datetime
    stays: list[Stay] = field(default_factory=list)
    taken: list[Stay] = field(default_factory=list)
    unused: bool = False


def record(pasts: Sequence[Past], now: datetime, since: datetime | None, until: datetime | None) -> Recording | None:
    """Make a trace of who joined the line from `since` to before `until`, as known at `now`; None where nobody did.

    What is not known yet is put as it cannot disturb: who still waits leaves the line at `now`, and who still runs uses
    all the hours asked for. So does one that left the line, if it is granted in the replay before it leaves.
    """
    each = [(at, fate, arrival) for past in pasts for at, fate, arrival in _arrivals(past, now)]
    inside = sorted((one for one in each if _inside(one[0], since, until)), key=lambda one: one[0])
    if not inside:
        return None
    begins = inside[0][0]
    arrivals = tuple(replace(arrival, submit_s=(at - begins).total_seconds()) for at, _, arrival in inside)
    under_way = sum(_is_open(past.ticket, since) for past in pasts) if since else 0
    return Recording(arrivals, begins, Counter(fate for _, fate, _ in inside), under_way)


def _inside(at: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or since <= at) and (until is None or at < until)


def _is_open(ticket: Ticket, at: datetime) -> bool:
    """Whether a ticket was filed before a time and ended after it."""
    over = ticket.changed_at if ticket.state is State.ENDED else None
    return ticket.requested_at < at and (over is None or over > at)


def _arrivals(past: Past, now: datetime) -> Iterator[tuple[datetime, Fate, Arrival]]:
    joinings = list(_joinings(past))
    for i, joining in enumerate(joinings):
        given_back = sum((_used(stay, True) for later in joinings[i:] for stay in later.taken), timedelta(0))
        wall_s = (past.ticket.duration + given_back).total_seconds()
        fate = _fate(past.ticket, joining)
        ran = sum((_used(stay, stay in joining.taken) for stay in joining.stays), timedelta(0))
        left_at = {Fate.LEFT: past.ticket.changed_at, Fate.WAITS: now}.get(fate)
        yield (
            joining.at,
            fate,
            Arrival(
                0.0,
                past.ticket.user,
                past.ticket.project,
                past.ticket.gpus,
                past.ticket.flavour,
                wall_s,
                ran.total_seconds() if fate in {Fate.RAN, Fate.UNUSED} else wall_s,
                past.ticket.priority,
                past.ticket.profile,
                max((left_at - joining.at).total_seconds(), 0.0) if left_at else None,
                tuple((stay.ended_at - joining.at).total_seconds() for stay in joining.stays if stay.ended_at),
            ),
        )


def _used(stay: Stay, taken: bool) -> timedelta:
    """What a stay used of its request's hours. One that was taken back was told to stop before its end."""
    return stay.ends - stay.starts if taken or stay.ended_at is None else stay.ended_at - stay.starts


def _joinings(past: Past) -> Iterator[_Joining]:
    stays, joining = iter(past.stays), _Joining(past.ticket.requested_at)
    waits_for_ready = False
    for at, step in past.steps:
        match step:
            case Step.GRANTED:
                joining.stays += _next(stays)
            case Step.REQUEUED:
                joining.taken += joining.stays[-1:]
            case Step.UNCLAIMED:
                joining.unused = waits_for_ready = True
                yield joining
            case Step.READY:
                joining, waits_for_ready = _Joining(at), False
    if not waits_for_ready:
        yield joining


def _next(stays: Iterable[Stay]) -> list[Stay]:
    found = next(iter(stays), None)
    return [found] if found else []


def _fate(ticket: Ticket, joining: _Joining) -> Fate:
    if joining.unused:
        return Fate.UNUSED
    if ticket.state in HOLDING:
        return Fate.RUNS
    if ticket.state is State.QUEUED:
        return Fate.WAITS
    ended_holding = bool(joining.stays) and joining.stays[-1].ended_at == ticket.changed_at
    return Fate.RAN if ended_holding else Fate.LEFT
