"""By how much a running lease may be extended: nobody who waits is delayed, and nobody with less use passed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from labpool.domain import not_extended
from labpool.domain.catalogue import Profile
from labpool.domain.ends import End, due_in_queue, stop_at
from labpool.domain.fallbacks import fallbacks
from labpool.domain.held import Held
from labpool.domain.leases import Lease
from labpool.domain.planned_schedule import schedule_of
from labpool.domain.reasons import ExtensionReason, NotExtended
from labpool.domain.sooner import STEP
from labpool.domain.taking_back import borrowed
from labpool.domain.tickets import State, Ticket
from labpool.domain.world import World

_CAPS = {"user": ExtensionReason.OWN_LIMIT, "project": ExtensionReason.PROJECT_LIMIT}


@dataclass(frozen=True, slots=True)
class Extended:
    """The ticket and the lease as they are with more time; both grow by the same."""

    ticket: Ticket
    lease: Lease

    @property
    def ends(self) -> datetime:
        """The new end."""
        return self.lease.ends


class _Bound(NamedTuple):
    latest: datetime
    reason: ExtensionReason


def longest_extension(ticket: Ticket, world: World, now: datetime) -> timedelta | NotExtended:
    """By how much a ticket's lease can be extended at `now`: whole quarters of an hour, or why not even one."""
    lease = _lease_in_use(ticket, world, now)
    if isinstance(lease, NotExtended):
        return lease
    bound = _tightest(ticket, lease, world, now)
    possible = _whole_steps(bound.latest - lease.ends)
    return possible if possible >= STEP else _refused(bound, ticket, lease, world, now)


def extend(ticket: Ticket, world: World, now: datetime, by: timedelta) -> Extended | NotExtended:
    """Decide whether a ticket's lease is extended `by` a time, at `now`; the first thing in the way is told.

    `world.slots` are those of the last plan: whoever holds one keeps it.
    """
    lease = _lease_in_use(ticket, world, now)
    if isinstance(lease, NotExtended):
        return lease
    if by < STEP:
        return not_extended.too_short(by, STEP)
    bound = _tightest(ticket, lease, world, now)
    if lease.ends + by > bound.latest:
        return _refused(bound, ticket, lease, world, now)
    return Extended(replace(ticket, duration=ticket.duration + by), replace(lease, ends=lease.ends + by))


def _refused(bound: _Bound, ticket: Ticket, lease: Lease, world: World, now: datetime) -> NotExtended:
    latest = max(bound.latest, lease.ends)
    return not_extended.bounded(bound.reason, ticket, world, now, latest, _whole_steps(latest - lease.ends))


def _whole_steps(time: timedelta) -> timedelta:
    return time - time % STEP


def _lease_in_use(ticket: Ticket, world: World, now: datetime) -> Lease | NotExtended:
    """The lease, where nothing forbids to extend it by any time."""
    lease = next((lease for lease in world.counted if lease.ticket == ticket.id), None)
    if ticket.state is State.RECLAIMING:
        return not_extended.taken_back()
    if lease is None or ticket.state is not State.RUNNING:
        return not_extended.not_in_use(ticket)
    if lease.stopping_since is not None or now >= stop_at(lease, world.catalogue.queue):
        return not_extended.ending()
    offered = due_in_queue(ticket, world.catalogue, now)
    if isinstance(offered, End):
        return not_extended.not_offered(offered.reason)
    return _others_first(lease, world, now) or lease


def _others_first(lease: Lease, world: World, now: datetime) -> NotExtended | None:
    """Why the devices are somebody else's rather than this lease's, once its time is over; None where they are not."""
    projects = {ticket.project for ticket in world.line() if ticket.flavour == lease.flavour}
    if not projects:
        return None
    if any(loan.ticket == lease.ticket for loan in borrowed(world, world.counted, lease.flavour, now)):
        return not_extended.borrowed(lease, world)
    held = Held(world)
    use = {project: held.use_for_weight(project, world.usage, now) for project in projects | {lease.project}}
    with_less = sorted(project for project in projects if use[project] < use[lease.project])
    return not_extended.others_turn(lease, with_less, world) if with_less else None


def _tightest(ticket: Ticket, lease: Lease, world: World, now: datetime) -> _Bound:
    """What the lease may not outlast: the first of several at one time. The schedule is asked only where it matters."""
    bounds = list(_of_profile(world.catalogue.profiles[ticket.profile], lease, now))
    if min(bounds).latest - lease.ends >= STEP:
        bounds += [*_of_schedule(ticket, lease, world, now), *_of_own_promises(lease, world, now)]
    return min(bounds, key=lambda bound: bound.latest)


def _of_profile(profile: Profile, lease: Lease, now: datetime) -> Iterator[_Bound]:
    in_all = profile.longest if profile.longest_in_all is None else profile.longest_in_all
    yield _Bound(lease.starts + in_all, ExtensionReason.TOO_LONG_IN_ALL)
    yield _Bound(now + profile.longest, ExtensionReason.TOO_LONG)


def _of_schedule(ticket: Ticket, lease: Lease, world: World, now: datetime) -> Iterator[_Bound]:
    schedule = schedule_of(world, now, without=ticket.id)  # with more hours it falls back on nothing
    kept = schedule.kept_until(schedule.needs.of(ticket), lease.ends)
    for key in sorted(kept, key=lambda key: key[0] == "project"):  # who holds the place says more than the share does
        yield _Bound(kept[key], _CAPS.get(key[0], ExtensionReason.PROMISED))
    yield _Bound(schedule.payments.paid_until(lease, lease.ends), ExtensionReason.BUDGET)


def _of_own_promises(lease: Lease, world: World, now: datetime) -> Iterator[_Bound]:
    """Starts of promised places that would have to borrow if the lease, of the same project, went on.

    What was promised inside a project's own devices stays inside them: nobody may take it back.
    """
    kind = (lease.project, lease.flavour)
    slots, kept = {slot.ticket: slot for slot in world.slots}, fallbacks(world, now)
    waiting = (ticket for ticket in world.line() if ticket.starts_by is not None and ticket.id in slots)
    early = (ticket for ticket in world.tickets if ticket.id in kept and ticket.id != lease.ticket)
    alike = (ticket for ticket in (*waiting, *early) if (ticket.project, ticket.flavour) == kind)
    spans = [(slots[ticket.id].start, slots[ticket.id].end, ticket.gpus) for ticket in alike]
    others = [x for x in world.counted if (x.project, x.flavour) == kind and x.ticket != lease.ticket]
    until = {x.ticket: min(x.ends, kept[x.ticket].start) if x.ticket in kept else x.ends for x in others}
    held = [*spans, *((other.starts, until[other.ticket], len(other.devices)) for other in others)]
    over = [each.end for each in world.reservations if (each.project, each.flavour) == kind]  # from then on it has less
    for start, end, _ in spans:
        first = max(start, lease.ends)
        for at in (first, *(turn for turn in over if first < turn < end)):
            own = world.own(*kind, at)
            taken = sum(devices for since, until, devices in held if since <= at < until)
            if at < end and taken <= own < taken + len(lease.devices):
                yield _Bound(max(at - world.catalogue.queue.turnover, lease.ends), ExtensionReason.PROMISED)
