"""What the store keeps beside domain values: reservations as made, notices and their ways, ended runs, audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from labpool.domain.budgets import work
from labpool.domain.notices import USUALLY_SENT
from labpool.domain.overrides import Override
from labpool.domain.withdrawals import Withdrawal

_USUALLY = frozenset(kind.value for kind in USUALLY_SENT)


class Part(str, Enum):
    """What acts by itself in labpool. In the audit trail it has its own name, unlike people, who have pseudonyms."""

    POOL = "pool"
    PLANNER = "planner"
    ENGINE = "engine"
    FILE = "file"


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
    """Something a ticket's owner is told once. `key` tells it from the ticket's other notices.

    `ends_at` and `starts_at` are the end or the start that it speaks of, where it does.
    """

    ticket: str
    key: str
    kind: str
    at: datetime
    message: str
    ends_at: datetime | None = None
    starts_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndedRun:
    """What a lease used that is over: so many devices from `starts` to `ends`, never past the hours `asked` for.

    `charge` is that of the flavour when the lease began.
    """

    project: str
    flavour: str
    devices: int
    starts: datetime
    ends: datetime
    user: str = ""
    profile: str = ""
    asked: timedelta = timedelta(0)
    charge: float = 1.0

    @property
    def rate(self) -> int:
        """What it used of a budget in a microsecond, in units of work."""
        return work(self.devices, self.charge)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, when and why. `actor` is a person's name or the part of labpool that acted."""

    at: datetime
    actor: str | Part
    event: str
    ticket: str | None = None
    detail: str = ""


class Way(str, Enum):
    """How a notice goes out."""

    EMAIL = "email"
    WEBHOOK = "webhook"


class Outcome(str, Enum):
    """What became of a delivery."""

    SENT = "sent"
    GIVEN_UP = "given_up"
    UNWANTED = "unwanted"
    """Not sent: it was no longer true, or its user wants no such thing any more."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """How one user wants to be told. Empty texts: not set.

    `email` is confirmed; `unconfirmed` waits for that, asked for at `asked_at`. Quiet hours are "HH:MM" on the clocks
    of the IANA zone `zone`, both or none. Kinds are those of `labpool.domain.notices.NoticeKind`.
    """

    user: str
    email: str = ""
    unconfirmed: str = ""
    asked_at: datetime | None = None
    email_kinds: frozenset[str] = _USUALLY
    webhook_url: str = ""
    webhook_secret: str = ""
    webhook_kinds: frozenset[str] = _USUALLY
    quiet_from: str = ""
    quiet_to: str = ""
    zone: str = "UTC"

    def ways(self, kind: str) -> tuple[Way, ...]:
        """By which ways a notice of this kind goes out."""
        mail = (Way.EMAIL,) if self.email and kind in self.email_kinds else ()
        call = (Way.WEBHOOK,) if self.webhook_url and kind in self.webhook_kinds else ()
        return mail + call


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice on its way; without one, the mail that confirms an address. `id` stays the same over all tries."""

    id: str
    user: str
    way: Way
    made_at: datetime
    due_at: datetime
    tries: int
    notice: Notice | None
