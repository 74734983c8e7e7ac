"""Devices set aside ahead of time: for a project, or for nobody, which is maintenance."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
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


def without_gaps(reservations: Iterable[Reservation], margin: timedelta) -> Iterator[Reservation]:
    """Those for projects so that a margin behind each does not reach into the next one.

    Where one begins as another of the same flavour ends, the devices go over from one to the other; that they turn
    over meanwhile takes no more of them.
    """
    starts: defaultdict[str, list[datetime]] = defaultdict(list)
    for each in reservations:
        insort(starts[each.flavour], each.start)
    for each in reservations:
        following = starts[each.flavour][bisect_left(starts[each.flavour], each.end) :][:1]
        goes_over = each.project and following and following[0] < each.end + margin
        yield replace(each, end=max(following[0] - margin, each.start)) if goes_over else each


def without_unused(reservation: Reservation, used: int, now: datetime) -> Reservation:
    """The reservation without what nobody used in its first minutes; the same before that.

    `used`: devices that the project holds of what is kept (on the node where it names one), or will hold by a place
    that a ticket of it has been given within its time.
    """
    if not reservation.project or now < reservation.start + UNUSED_AFTER:
        return reservation
    return replace(reservation, devices=min(reservation.devices, used))
