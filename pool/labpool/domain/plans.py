"""What planning decides: grants now, slots for the others, and promises made and broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from labpool.domain.leases import Slot


class BreakCause(str, Enum):
    """Why a promise could not be kept. Nothing else breaks one."""

    DEVICE_UNAVAILABLE = "device_unavailable"
    """A device of the slot vanished or is withheld, and no other is free in time."""
    NODE_UNAVAILABLE = "node_unavailable"
    """The slot's node is drained, failed or silent; or one that was came back with leases that count again."""
    OVERRUN = "overrun"
    """A lease is past its end and its devices are still held."""
    POOL_OUTAGE = "pool_outage"
    """The pool looked at its queue too late: it was stopped, or the machine's clock jumped."""
    HIGHER_CLASS = "higher_class"
    """A ticket of a higher priority class needs the devices."""
    ADMIN_CHANGE = "admin_change"
    """An admin let somebody start first, lowered a limit or a project's share, or removed its project."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A ticket whose turn is now: the lease to make of it."""

    ticket: str
    devices: tuple[str, ...]
    starts: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """A lease that is taken back: it ends at `ends`, for the ticket `taken_for`; empty for nobody of this pool."""

    ticket: str
    ends: datetime
    taken_for: str


@dataclass(frozen=True, slots=True)
class BrokenPromise:
    """A ticket that will start later than it was told, reported by the plan that first sees it.

    `planned` is None where no place can be found at all. One that `runs` started before its time on borrowed devices,
    and would start again too late if they were taken back, at `planned` at the latest or nobody knows when.
    """

    ticket: str
    promised: datetime
    planned: datetime | None
    cause: BreakCause
    runs: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """One decision about the whole queue.

    `slots` replace all stored ones. `promises` holds `starts_by` for tickets that had none and must be stored with the
    slots: it is the start of the ticket's first slot. `looks_at` is when to decide again though nothing happened.
    """

    grants: tuple[Grant, ...] = ()
    slots: tuple[Slot, ...] = ()
    taken: tuple[Taken, ...] = ()
    broken: tuple[BrokenPromise, ...] = ()
    promises: Mapping[str, datetime] = field(default_factory=dict)
    looks_at: datetime | None = None
