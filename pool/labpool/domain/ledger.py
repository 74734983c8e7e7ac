"""The books of GPU-hours: each change of a lease moves hours between four accounts, and rows are only ever added.

A project has `free`, `held` and `used` hours; `pool` pays for what nobody asked for. A hold goes from free to held; at
the lease's end what was used goes from held to used, and the rest back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from labpool.domain.budgets import TICK
from labpool.domain.leases import Lease

UNITS = 1000 * 3600
"""Units in a GPU-hour: device-seconds, times the charge in thousandths. All amounts are whole numbers of them."""

_TICKS_A_SECOND = timedelta(seconds=1) // TICK


class Account(str, Enum):
    """Where hours are: a project's free, held and used ones, and the pool's own."""

    FREE = "free"
    HELD = "held"
    USED = "used"
    POOL = "pool"


class Kind(str, Enum):
    """What a row of the ledger is for."""

    HOLD = "hold"
    """A lease began: its hours are set aside."""
    EXTENSION = "extension"
    """It was extended: so are the additional ones."""
    SHORTENING = "shortening"
    """It is taken back before its end: what comes after is free again."""
    SETTLEMENT = "settlement"
    """It is over: what was used of the hold."""
    REFUND = "refund"
    """It is over: what was not used, or used up by a machine that was lost."""
    OVERRUN = "overrun"
    """It was over later than at its end: that is the pool's affair."""


MOVES: Mapping[Kind, tuple[Account, Account]] = {
    Kind.HOLD: (Account.FREE, Account.HELD),
    Kind.EXTENSION: (Account.FREE, Account.HELD),
    Kind.SHORTENING: (Account.HELD, Account.FREE),
    Kind.SETTLEMENT: (Account.HELD, Account.USED),
    Kind.REFUND: (Account.HELD, Account.FREE),
    Kind.OVERRUN: (Account.POOL, Account.USED),
}
"""From which account to which each kind of row moves its amount."""

CHARGED: Mapping[Kind, int] = {
    kind: (source is Account.FREE) - (target is Account.FREE) for kind, (source, target) in MOVES.items()
}
"""What each kind of row does to what a project has held and used: takes from its free hours (1), gives back (-1)."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One row: the hours of a lease from `start` to `end`, in units."""

    kind: Kind
    start: datetime
    end: datetime
    amount: int


def opened(lease: Lease) -> tuple[Posting, ...]:
    """What is booked at a lease's start."""
    return (_posting(Kind.HOLD, lease, lease.starts, lease.ends),)


def moved(lease: Lease, ends: datetime) -> tuple[Posting, ...]:
    """What is booked when a lease gets another end."""
    if ends > lease.ends:
        return (_posting(Kind.EXTENSION, lease, lease.ends, ends),)
    if ends < lease.ends:
        return (_posting(Kind.SHORTENING, lease, ends, lease.ends),)
    return ()


def closed(lease: Lease, at: datetime) -> tuple[Posting, ...]:
    """What is booked for a lease that is over `at`: never more than its hold, and the hold is used up by it."""
    until = min(max(at, lease.starts), lease.ends)
    postings = [_posting(Kind.SETTLEMENT, lease, lease.starts, until)]
    if until < lease.ends:
        postings.append(_posting(Kind.REFUND, lease, until, lease.ends))
    if at > lease.ends:
        postings.append(_posting(Kind.OVERRUN, lease, lease.ends, at))
    return tuple(postings)


def amount(rate: int, since: datetime, start: datetime, end: datetime) -> int:
    """Units from `start` to `end` of a lease that began `since`, at `rate` (devices times charge in thousandths).

    Both ends are rounded down from the lease's start on, so that parts sum up to the whole.
    """
    return _units(rate, since, end) - _units(rate, since, start)


def _posting(kind: Kind, lease: Lease, start: datetime, end: datetime) -> Posting:
    return Posting(kind, start, end, amount(lease.rate, lease.starts, start, end))


def _units(rate: int, since: datetime, until: datetime) -> int:
    return rate * ((until - since) // TICK) // _TICKS_A_SECOND
