"""What the store keeps beside domain values: reservations as they were made, notices, ended runs, the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from labpool.domain.overrides import Override
from labpool.domain.withdrawals import Withdrawal


class Acts(NamedTuple):
    """What admins said and nobody has ended: of machines and GPUs, and of the rules. In the order of saying."""

    withdrawals: tuple[Withdrawal, ...] = ()
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True)
class ReservationSeries:
    """A reservation as it was made: once, or again and again.

    `start` and `end` are those of its first time, aware; it repeats by the RRULE `repeat` (RFC 5545) on the clocks of
    the IANA zone `zone`. `until` is when it is over for good, None where it has no end. Without a project it is
    maintenance of the `node`, and names no flavour.
    """

    id: str
    project: str | None
    flavour: str
    devices: int
    node: str
    start: datetime
    end: datetime
    zone: str
    repeat: str | None
    until: datetime | None
    title: str
    made_by: str
    made_at: datetime
    cancelled_at: datetime | None = None
    cancelled_by: str | None = None


@dataclass(frozen=True, slots=True)
class AskedOnce:
    """A request that a program named with a `key`: the ticket it came to, and a digest of what was asked for."""

    user: str
    key: str
    ticket: str
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a ticket's owner is told once. `key` tells it from the ticket's other notices."""

    ticket: str
    key: str
    kind: str
    at: datetime
    message: str
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndedRun:
    """What a lease used that is over: so many devices from `starts` to `ends`, never past the hours `asked` for."""

    project: str
    flavour: str
    devices: int
    starts: datetime
    ends: datetime
    user: str = ""
    profile: str = ""
    asked: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, when and why. `actor` is a user's name or the part of labpool that acted."""

    at: datetime
    actor: str
    event: str
    ticket: str | None = None
    detail: str = ""
