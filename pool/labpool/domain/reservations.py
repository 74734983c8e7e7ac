"""Devices set aside ahead of time: for a project, or for nobody, which is maintenance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate

UNUSED_AFTER = timedelta(minutes=15)
"""So long after its start a reservation keeps what nobody uses."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Devices kept from `start` to `end`, both aware.

    For a `project` they are `devices` of a `flavour`, wherever they are or on one `node`, and count beside its own as
    long as they are kept. One without a project keeps everybody off the whole `node`.
    """

    id: str
    start: datetime
    end: datetime
    project: str = ""
    flavour: str = ""
    devices: int = 0
    node: str = ""

    def is_on(self, now: datetime) -> bool:
        """Whether its time has come and is not over."""
        return self.start <= now < self.end


def reserved(reservations: Iterable[Reservation], project: str, flavour: str, now: datetime) -> int:
    """Devices of `flavour` that are kept for a project at `now`, beside its own."""
    return sum(r.devices for r in reservations if (r.project, r.flavour) == (project, flavour) and r.is_on(now))


def most_reserved(reservations: Iterable[Reservation], project: str, flavour: str) -> int:
    """The most devices of `flavour` that are kept for a project at any time, beside its own."""
    own = [r for r in reservations if (r.project, r.flavour) == (project, flavour)]
    begins, ends = [(r.start, r.devices) for r in own], [(r.end, -r.devices) for r in own]
    changes = (change for _, change in sorted(begins + ends))  # of one moment, what ends comes first
    return max(accumulate(changes), default=0)


def without_unused(reservation: Reservation, used: int, now: datetime) -> Reservation:
    """The reservation without what nobody used in its first minutes; the same before that.

    `used`: devices that the project holds of what is kept (on the node where it names one), or will hold by a place
    that a ticket of it has been given within its time.
    """
    if not reservation.project or now < reservation.start + UNUSED_AFTER:
        return reservation
    return replace(reservation, devices=min(reservation.devices, used))
