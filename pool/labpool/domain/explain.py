"""Why a ticket waits, and where it stands, as facts; `sentences` says them in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from labpool.domain.budgets import hours
from labpool.domain.leases import Lease
from labpool.domain.needs import Cap, Key, Need, Needs
from labpool.domain.planned_schedule import schedule_of
from labpool.domain.reasons import Holder, Wait, WaitReason
from labpool.domain.reservations import Reservation, reserved
from labpool.domain.tickets import State, Ticket
from labpool.domain.turns import no_turn, out_of_sight
from labpool.domain.world import World

_REASONS = {"server": WaitReason.SAME_SERVER, "user": WaitReason.OWN_LIMIT, "project": WaitReason.PROJECT_LIMIT}


def place(ticket: Ticket, world: World) -> int | None:
    """Place in the line for the ticket's flavour, 1 is next; None unless it waits for its turn.

    Where an engine decides, it is that in its project's line there. Else:
    Those with a promise and those without stand in a line each. Among the former it only ever falls, unless a higher
    class comes: who asks later stands behind, and so does who says "ready" again after an unclaimed grant.
    """
    if ticket.state is not State.QUEUED:
        return None
    if world.verdicts is not None:
        verdict = world.verdicts.of.get(ticket.id)
        return verdict.place if verdict else None
    promised = ticket.starts_by is not None
    line = (other for other in world.line() if other.flavour == ticket.flavour)
    names = [other.id for other in sorted(line, key=_rank) if (other.starts_by is not None) is promised]
    return names.index(ticket.id) + 1 if ticket.id in names else None


def promise(ticket: Ticket, world: World) -> datetime | None:
    """The latest start that a ticket in line was promised, as long as the last plan keeps that."""
    slot = next((slot for slot in world.slots if slot.ticket == ticket.id), None)
    if ticket.state is not State.QUEUED or ticket.starts_by is None or slot is None:
        return None
    return ticket.starts_by if slot.start <= ticket.starts_by + world.catalogue.queue.planned_lateness else None


def _rank(ticket: Ticket) -> int:
    return ticket.priority.rank


def why_waiting(ticket: Ticket, world: World, now: datetime) -> Wait | None:
    """What keeps a queued ticket from starting at `now`; None where nothing does, or where it does not wait.

    `world.slots` are those of the last plan. What is held now is named before what is only planned, and among what is
    held the ticket's own user comes first, because that is what its user can change.
    """
    if ticket.state is not State.QUEUED:
        return None
    if not ticket.ready:
        return Wait(WaitReason.NOT_READY)
    need = Needs(world).of(ticket)
    return (
        _held_cap(ticket, need, world, now)
        or _over_budget(ticket, need, world, now)
        or (no_turn(ticket, world.verdicts, _free(ticket.flavour, world)) if world.verdicts else None)
        or _held_devices(ticket, world)
        or _kept(ticket, need, world, now)
        or (out_of_sight(ticket, world.verdicts) if world.verdicts else _planned(ticket, need, world, now))
    )


def _held_cap(ticket: Ticket, need: Need, world: World, now: datetime) -> Wait | None:
    more = reserved(world.reservations, ticket.project, ticket.flavour, now)
    caps = (replace(cap, most=cap.most + more) if cap.key[0] == "project" else cap for cap in need.caps)
    for cap in caps:
        holding = [lease for lease in world.counted if _counts(lease, cap.key)]
        used = sum(_amount(lease, cap) for lease in holding)
        if used + cap.amount > cap.most:
            missing = used + cap.amount - cap.most
            return Wait(_REASONS[cap.key[0]], _holders(ticket, holding), missing, cap.most)
    return None


def _over_budget(ticket: Ticket, need: Need, world: World, now: datetime) -> Wait | None:
    budget = world.catalogue.budgets().get(ticket.project)
    if budget is None:
        return None
    payments = schedule_of(world, now, without=ticket.id, project=ticket.project).payments  # each pays for itself
    lacking = payments.lacking(need, now)
    if lacking is None:
        return None
    hours_left = hours(max(payments.left(ticket.project, lacking), 0))
    begins = lacking if lacking > now else None
    return Wait(WaitReason.BUDGET, hours_left=hours_left, begins=begins, renewed=budget.period(lacking).end)


def _free(flavour: str, world: World) -> int:
    leased = {device for lease in world.counted for device in lease.devices}
    return sum(device not in leased for node in world.usable_devices(flavour).values() for device in node)


def _held_devices(ticket: Ticket, world: World) -> Wait | None:
    leased = {device for lease in world.counted for device in lease.devices}
    nodes = list(world.usable_devices(ticket.flavour).values())
    most_free = max((sum(device not in leased for device in node) for node in nodes), default=0)
    if most_free >= ticket.gpus:
        return None
    largest = max(map(len, nodes), default=0)
    if largest < ticket.gpus:  # whoever ends, it can't start before others are back
        return Wait(WaitReason.DEVICES, missing=ticket.gpus - largest)
    usable = {device for node in nodes for device in node}
    in_the_way = [lease for lease in world.counted if not usable.isdisjoint(lease.devices)]
    return Wait(WaitReason.DEVICES, _holders(ticket, in_the_way), ticket.gpus - most_free, len(usable))


def _kept(ticket: Ticket, need: Need, world: World, now: datetime) -> Wait | None:
    """What others keep, where it is that alone which is in the way."""
    until = now + need.duration + world.catalogue.queue.turnover
    meeting = [each for each in world.reservations if each.start < until and now < each.end]
    meeting = [each for each in meeting if _keeps_from(each, ticket, world)]
    projects = world.catalogue.projects
    owners = [project.name for project in projects.values() if project.never_lent(ticket.flavour)]
    for_ever = [name for name in owners if name != ticket.project]
    others = tuple(dict.fromkeys(for_ever + [each.project for each in meeting if each.project]))
    if not (others or meeting) or _starts(ticket, need, world, now):
        return None
    closed = [each for each in meeting if not each.project]
    if closed and _starts(ticket, need, _without(world, closed), now):
        return Wait(WaitReason.KEPT_FOR_OTHERS, kept_until=max(each.end for each in closed))
    lending = {name: replace(project, lend={}) for name, project in projects.items()}
    open_to_all = replace(_without(world, meeting), catalogue=replace(world.catalogue, projects=lending))
    if not _starts(ticket, need, open_to_all, now):
        return None
    kept_until = None if for_ever else max(each.end for each in meeting)
    return Wait(WaitReason.KEPT_FOR_OTHERS, kept_for=others, kept_until=kept_until)


def _starts(ticket: Ticket, need: Need, world: World, now: datetime) -> bool:
    place = schedule_of(world, now, without=ticket.id).earliest(need)
    return place is not None and place.start == now


def _without(world: World, reservations: Collection[Reservation]) -> World:
    return replace(world, reservations=tuple(each for each in world.reservations if each not in reservations))


def _keeps_from(reservation: Reservation, ticket: Ticket, world: World) -> bool:
    """Whether it keeps devices that a ticket could have: another project's, or a machine's that is closed."""
    if reservation.project:
        return reservation.flavour == ticket.flavour and reservation.project != ticket.project
    return reservation.node in world.usable_devices(ticket.flavour)


def _planned(ticket: Ticket, need: Need, world: World, now: datetime) -> Wait | None:
    """What is promised to others, or to the user's own other tickets, within the time this one asks for.

    Or what is lacking beside devices.
    """
    schedule = schedule_of(world, now, without=ticket.id)
    found = schedule.earliest(need)
    if found and found.start == now:
        return None
    for cap in need.caps:
        if not schedule.allows(cap, now, now + need.duration):
            return Wait(_REASONS[cap.key[0]], _planned_holders(ticket, cap.key, world), most=cap.most)
    devices_alone = schedule.earliest(replace(need, cpu=0, memory=0))
    if devices_alone and devices_alone.start == now:
        return Wait(WaitReason.BESIDE_DEVICES)
    return Wait(WaitReason.DEVICES, _planned_holders(ticket, ("flavour", ticket.flavour), world))


def _counts(lease: Lease | Ticket, key: Key) -> bool:
    match key:
        case ("server", user, name):
            return (lease.user, lease.name) == (user, name)
        case ("user", user):
            return lease.user == user
        case ("project", project, flavour):
            return (lease.project, lease.flavour) == (project, flavour)
        case _:
            return lease.flavour == key[-1]


def _amount(lease: Lease, cap: Cap) -> int:
    return 1 if cap.key[0] == "server" else len(lease.devices)


def _holders(ticket: Ticket, leases: Iterable[Lease]) -> tuple[Holder, ...]:
    holders = (
        Holder(lease.user, lease.name, lease.project, len(lease.devices), lease.ends, lease.user == ticket.user)
        for lease in leases
    )
    return tuple(sorted(holders, key=lambda holder: holder.until))


def _planned_holders(ticket: Ticket, key: Key, world: World) -> tuple[Holder, ...]:
    """Planned starts that come before this ticket's own, as holders that are still to come."""
    slots = {slot.ticket: slot for slot in world.slots}
    others = [other for other in world.line() if other.id in slots and other.id != ticket.id and _counts(other, key)]
    holders = (
        Holder(o.user, o.name, o.project, o.gpus, slots[o.id].end, o.user == ticket.user, slots[o.id].start)
        for o in others
    )
    return tuple(sorted(holders, key=lambda holder: (holder.since or holder.until, holder.until)))
