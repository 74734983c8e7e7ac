"""What must hold after each decision of a history: the invariants of the pool."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from labpool.domain.budgets import Spent
from labpool.domain.catalogue import QueueRules
from labpool.domain.ends import End, Requeue
from labpool.domain.fallbacks import fallbacks
from labpool.domain.inventory import LOST, Condition, Device, Node
from labpool.domain.leases import Lease
from labpool.domain.planner import plan
from labpool.domain.plans import BreakCause, Plan
from labpool.domain.reservations import reserved
from labpool.domain.tickets import Priority, State
from labpool.domain.world import World

if TYPE_CHECKING:
    from tests.domain.living_pool import LivingPool

MARGIN = QueueRules().turnover
INSTANTS = timedelta(milliseconds=1)
"""What a lease that would not end can add up to, a moment at each look."""
_HARDWARE = (("a", "big", 3), ("b", "big", 2), ("b", "slice", 2))
DEVICES = tuple(Device(f"{node}-{kind}-{i}", kind, node, i) for node, kind, many in _HARDWARE for i in range(many))
NODES = sorted({device.node for device in DEVICES})


class InvariantBroken(AssertionError):
    """A decision that the pool must never make; the message names the invariant."""


def check_grants(history: LivingPool, before: World, decided: Plan) -> None:
    usable = {device.id: device for device in history.devices if device.id not in history.lost}
    taken = Counter(device for held in counted(history, before) for device in held.devices)
    for grant in decided.grants:
        ticket = history.tickets[grant.ticket]
        nodes = {usable[device].node for device in grant.devices if device in usable}
        fitting = [d for d in grant.devices if d in usable and usable[d].flavour == ticket.flavour]
        must(len(set(fitting)) == ticket.gpus and len(nodes) == 1, f"{ticket.id} got {grant.devices}")
        must(ticket.state is State.QUEUED and ticket.ready, f"{ticket.id} was granted out of line")
        must(grant.ends - grant.starts == ticket.duration, f"{ticket.id} did not get its hours")
        taken.update(grant.devices)
    granted = {device for grant in decided.grants for device in grant.devices}
    must(all(taken[device] == 1 for device in granted), "1: a device is in two leases")
    check_caps(history, before, decided)


def check_caps(history: LivingPool, before: World, decided: Plan) -> None:
    users, projects, servers = Counter[str](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for held in counted(history, before):
        users[held.user] += len(held.devices)
        projects[held.project, held.flavour] += len(held.devices)
        servers[held.user, held.name] += 1
    for grant in decided.grants:
        ticket = history.tickets[grant.ticket]
        users[ticket.user] += len(grant.devices)
        projects[ticket.project, ticket.flavour] += len(grant.devices)
        servers[ticket.user, ticket.name] += 1
        must(users[ticket.user] <= history.most_of(ticket.user), f"2: {ticket.user} is over the limit")
        share = sum(history.shares[ticket.project]) + reserved_then(
            history, ticket.project, ticket.flavour, history.now
        )
        must(projects[ticket.project, ticket.flavour] <= share, f"3: {ticket.project} is over its share")
        must(servers[ticket.user, ticket.name] == 1, f"{ticket.name} of {ticket.user} got two leases")


def check_in_service(history: LivingPool, decided: Plan) -> None:
    """Nothing is granted or planned on a node out of service."""
    given = [(grant.ticket, history.node_of(device)) for grant in decided.grants for device in grant.devices]
    for ticket, node in [*given, *((slot.ticket, slot.node) for slot in decided.slots)]:
        condition = history.machines.nodes[node].condition
        must(condition is Condition.SERVING, f"{ticket} was given node {node}, which is {condition.value}")


def check_lost_count_nothing(history: LivingPool, before: World, decided: Plan) -> None:
    """A lease that is lost with its node changes no decision."""
    held_by = counted(history, before)
    if len(held_by) < len(before.leases):
        spent = before.spent  # what is set aside for it stays so
        for lease in set(before.leases).difference(held_by):
            if budget := history.budget_of(lease.project):
                spent = spent.with_run(budget, lease.project, 1000 * len(lease.devices), lease.starts, lease.ends)
        # what is kept for who falls back on it is kept because of the lost lease, and paid by it: another rule's matter
        waiting = {ticket.id for ticket in before.line()}
        before = replace(before, slots=tuple(slot for slot in before.slots if slot.ticket in waiting))
        while kept := _compare_without(held_by, spent, before, history.now):
            # for the lost lease who starts now keeps the promised place too, and others come behind it: not so
            # where there is no promise, and then nothing may differ at all
            slots = tuple(slot for slot in before.slots if slot.ticket not in kept)
            tickets = tuple(replace(t, starts_by=None) if t.id in kept else t for t in before.tickets)
            before = replace(before, slots=slots, tickets=tickets)


def _compare_without(held_by: tuple[Lease, ...], spent: Spent, world: World, now: datetime) -> set[str]:
    """Compare the plan with that without the lost leases, where some start and keep a place the grants; gives these."""
    found, told = plan(world, now), plan(replace(world, leases=held_by, spent=spent), now)
    kept = {grant.ticket for grant in found.grants} & {slot.ticket for slot in found.slots}
    same = found.grants == told.grants if kept else found == told
    must(same, "a lease that is lost with its node counts against somebody")
    return kept


def check_lost(history: LivingPool, lease: Lease, node: Node, step: Requeue | End) -> None:
    """Who lost a node is in line again for what is left of the hours, unless that is next to nothing."""
    ticket, queue = history.tickets[lease.ticket], history.world.catalogue.queue
    ran = max(min(node.since or history.now, history.now, lease.ends) - lease.starts, timedelta(0))
    left = ticket.duration - (ran if ticket.state is not State.GRANTED else timedelta(0))
    again = isinstance(step, Requeue) and step.left == left
    must(again or left < queue.shortest, f"{ticket.id} lost its node after {ran}, and {step} is not the {left} left")
    silent = node.condition is Condition.SILENT and history.now < lease.starts + ran + queue.restart
    must(not silent or history.now >= lease.ends - queue.end_grace, f"{ticket.id} was given up at once")


def counted(history: LivingPool, before: World) -> tuple[Lease, ...]:
    """Leases that are not lost with their node."""
    lost = {name for name, node in history.machines.nodes.items() if node.condition in LOST}
    return tuple(lease for lease in before.leases if history.node_of(lease.devices[0]) not in lost)


def check_promises(history: LivingPool, decided: Plan) -> None:
    for report in decided.broken:
        happened = report.cause in history.blamed(report.ticket)
        must(happened, f"6: {report.ticket} broken by {report.cause.value}, which never happened")
        if report.planned or not report.runs:  # without a place of its own it loses the promise with its lease
            history.broken.add(report.ticket)
    for ticket in history.tickets.values():
        _check_number(history, ticket.id, decided.promises.get(ticket.id, ticket.starts_by))
    starts = {grant.ticket: grant.starts for grant in decided.grants}
    starts |= {slot.ticket: slot.start for slot in decided.slots}
    for ticket_id, promise in history.told.items():
        kept = ticket_id in starts and max(starts[ticket_id], history.now) <= promise + MARGIN + INSTANTS
        must(kept or ticket_id in history.broken, f"6: {ticket_id} waits past its promise, and nobody said so")


def check_new_promises(history: LivingPool, before: World, decided: Plan) -> None:
    """A promise is inside the project's own devices: at its start nobody of the project has to borrow for it."""
    slots = {slot.ticket: slot for slot in decided.slots}
    taken = {each.ticket: each.ends for each in decided.taken}
    for name, start in decided.promises.items():
        ticket = history.tickets[name]
        if ticket.starts_by is not None:
            continue
        held = {
            lease.ticket: len(lease.devices)
            for lease in counted(history, before)
            if (lease.project, lease.flavour) == (ticket.project, ticket.flavour)
            and taken.get(lease.ticket, lease.ends) > start
        }
        promised = sum(
            other.gpus
            for other in history.tickets.values()
            if (other.project, other.flavour) == (ticket.project, ticket.flavour)
            and other.id in slots.keys() - held.keys()  # who started early uses one of the two at a time
            and slots[other.id].start <= start < slots[other.id].end
        )
        own = history.shares[ticket.project][0] + reserved_then(history, ticket.project, ticket.flavour, start)
        must(
            sum(held.values()) + promised <= own, f"{name} was promised more than {ticket.project}'s own {own} devices"
        )


def reserved_then(history: LivingPool, project: str, flavour: str, at: datetime) -> int:
    """What is reserved for a project, counting the margin behind it."""
    mine = (r for r in history.reservations if (r.project, r.flavour) == (project, flavour))
    return sum(r.devices for r in mine if r.start <= at < r.end + MARGIN)


def check_taken(history: LivingPool, before: World, decided: Plan) -> None:
    """Only what is borrowed is taken back, and used for long enough, for who has waited and gets it in time."""
    held_by = counted(history, before)
    leases = {lease.ticket: lease for lease in held_by}
    starts = {slot.ticket: slot.start for slot in decided.slots} | {g.ticket: g.starts for g in decided.grants}
    queue = history.world.catalogue.queue
    higher = {each.ticket for each in decided.broken if each.cause is BreakCause.HIGHER_CLASS}
    for taken in decided.taken:
        must(taken.ticket in leases, f"{taken.ticket} was taken too early: it was granted just now")
        lease, ticket, asks = leases[taken.ticket], history.tickets[taken.ticket], history.tickets[taken.taken_for]
        older = [
            other
            for other in held_by
            if (other.project, other.flavour) == (lease.project, lease.flavour)
            and (other.starts, other.ticket) <= (lease.starts, lease.ticket)
        ]
        own = history.shares[lease.project][0] + reserved(
            history.reservations, lease.project, lease.flavour, history.now
        )
        must(sum(len(other.devices) for other in older) > own, f"{taken.ticket} was taken, and is not borrowed")
        must(ticket.state is State.RUNNING, f"{taken.ticket} was taken and is {ticket.state.value}")
        must(history.now >= lease.starts + queue.borrow_min, f"{taken.ticket} was taken too early")
        must(taken.ends == history.now + queue.grace < lease.ends, f"{taken.ticket} was not given its grace")
        must(history.now >= asks.in_line_since + queue.wait_before_taking, f"{asks.id} has not waited yet")
        must(
            starts[asks.id] <= taken.ends + MARGIN or asks.id in higher,
            f"what was taken for {asks.id} is not kept for it",
        )
    for project, (own, _) in history.shares.items():
        for flavour in ("big", "slice"):
            asking = {t.taken_for for t in decided.taken if history.tickets[t.taken_for].project == project}
            gpus = sum(history.tickets[name].gpus for name in asking if history.tickets[name].flavour == flavour)
            held = sum(len(x.devices) for x in held_by if (x.project, x.flavour) == (project, flavour))
            mine = own + reserved(history.reservations, project, flavour, history.now)
            must(not gpus or held + gpus <= mine, f"{project} took back more than its own")


def check_extended(history: LivingPool, before: World, longer: Lease) -> None:
    """Who goes on longer passes over nobody with less use, and pushes no promise out of the project's own devices."""
    held_by = counted(history, before)
    alike = [x for x in held_by if (x.project, x.flavour) == (longer.project, longer.flavour)]
    older = [x for x in alike if (x.starts, x.ticket) <= (longer.starts, longer.ticket)]
    waiting = {ticket.project for ticket in before.line() if ticket.flavour == longer.flavour}
    own = history.shares[longer.project][0]
    mine = own + reserved_then(history, longer.project, longer.flavour, history.now)
    must(not waiting or sum(len(x.devices) for x in older) <= mine, f"{longer.ticket} is borrowed, and {waiting} wait")
    use = Counter[str]()
    for lease in held_by:
        hours = len(lease.devices) * ((lease.ends - lease.starts) / timedelta(hours=1))
        use[lease.project] += hours / history.shares[lease.project][0]
    passed_over = {project for project in waiting if use[project] < use[longer.project]}
    must(not passed_over, f"{longer.ticket} goes on before {passed_over}")
    slots = {slot.ticket: slot for slot in before.slots}
    promised = [t for t in before.line() if t.starts_by and (t.project, t.flavour) == (longer.project, longer.flavour)]
    promised = [ticket for ticket in promised if ticket.id in slots]
    after = [longer if x.ticket == longer.ticket else x for x in alike]
    for at in (slots[ticket.id].start for ticket in promised):
        own = history.shares[longer.project][0] + reserved_then(history, longer.project, longer.flavour, at)
        planned = sum(t.gpus for t in promised if slots[t.id].start <= at < slots[t.id].end)
        was, is_now = (planned + sum(len(x.devices) for x in leases if x.ends > at) for leases in (alike, after))
        must(was > own or is_now <= own, f"{longer.ticket} goes on, and what was promised must borrow")


def check_fallbacks(history: LivingPool) -> None:
    """Who was promised a place and started early on borrowed devices would start by then if they went back now."""
    world = history.as_stored()
    for name, slot in fallbacks(world, history.now).items():
        ticket, lease = history.tickets[name], history.leases.get(name)
        if lease is None or not lease.starts <= history.now < min(slot.start, lease.starts + ticket.duration):
            continue  # the clock may have been set back
        again = replace(ticket, state=State.QUEUED, duration=ticket.duration - (history.now - lease.starts))
        tickets = tuple(again if each.id == name else each for each in world.tickets)
        leases = tuple(each for each in world.leases if each.ticket != name)
        decided = plan(replace(world, tickets=tickets, leases=leases), history.now)
        broken = {report.cause for report in decided.broken if report.ticket == name}
        must(broken <= history.causes, f"6: {name} could not fall back on its place")


def check_moves(history: LivingPool, before: World, decided: Plan) -> None:
    stored = {slot.ticket: slot.start for slot in before.slots}
    later = [slot for slot in decided.slots if slot.start > stored.get(slot.ticket, slot.start)]
    if history.reservations:  # one that was accepted may take a place, as long as the promise stands
        told = history.told
        later = [slot for slot in later if slot.start > told.get(slot.ticket, slot.start) + MARGIN + INSTANTS]
    happened = all(history.blamed(slot.ticket) for slot in later)
    must(happened, f"a slot moved later and nothing happened: {later}")


def check_settled(history: LivingPool) -> None:
    """A decision is complete: looking again at the same time finds nothing more to do."""
    again = plan(history.as_stored(), history.now)
    must(not again.grants and not again.broken, "somebody could have started, or was told only now")
    lower = any(t.priority is not Priority.INTERACTIVE for t in history.tickets.values() if t.state is State.QUEUED)
    if again.taken or lower:
        return  # who asked in vain asks again from time to time; who lost a place to a higher class has a later look
    must(set(again.slots) == set(history.world.slots), "a second look moves slots that the first could have moved")


def _check_number(history: LivingPool, ticket: str, number: datetime | None) -> None:
    if history.tickets[ticket].state is not State.QUEUED or number is None:
        return
    told = history.told.setdefault(ticket, number)
    must(number <= told, f"6b: {ticket} was told {told}, and is now told {number}")


def must(holds: bool, message: str) -> None:
    if not holds:
        raise InvariantBroken(message)
