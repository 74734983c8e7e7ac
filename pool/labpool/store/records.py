"""What the store keeps beside domain values: notices and the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


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
