"""What must hold after each decision of a history: the invariants of the pool."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from labpool.domain.catalogue import QueueRules
from labpool.domain.inventory import Device
from labpool.domain.leases import Lease
from labpool.domain.planner import plan
from labpool.domain.plans import Plan
from labpool.domain.tickets import Priority, State
from labpool.domain.world import World

if TYPE_CHECKING:
    from tests.domain.history import History

MARGIN = QueueRules().turnover
INSTANTS = timedelta(milliseconds=1)
"""What a lease that would not end can add up to, a moment at each look."""
_HARDWARE = (("a", "big", 3), ("b", "big", 2), ("b", "slice", 2))
DEVICES = tuple(Device(f"{node}-{kind}-{i}", kind, node, i) for node, kind, many in _HARDWARE for i in range(many))


class InvariantBroken(AssertionError):
    """A decision that the pool must never make; the message names the invariant."""


def check_grants(history: History, before: World, decided: Plan) -> None:
    usable = {device.id: device for device in DEVICES if device.id not in history.lost}
    taken = Counter(device for held in before.leases for device in held.devices)
    for grant in decided.grants:
        ticket = history.tickets[grant.ticket]
        nodes = {usable[device].node for device in grant.devices if device in usable}
        fitting = [d for d in grant.devices if d in usable and usable[d].flavour == ticket.flavour]
        _must(len(set(fitting)) == ticket.gpus and len(nodes) == 1, f"{ticket.id} got {grant.devices}")
        _must(ticket.state is State.QUEUED and ticket.ready, f"{ticket.id} was granted out of line")
        _must(grant.ends - grant.starts == ticket.duration, f"{ticket.id} did not get its hours")
        taken.update(grant.devices)
    granted = {device for grant in decided.grants for device in grant.devices}
    _must(all(taken[device] == 1 for device in granted), "1: a device is in two leases")
    check_caps(history, before, decided)


def check_caps(history: History, before: World, decided: Plan) -> None:
    users, projects, servers = Counter[str](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for held in before.leases:
        users[held.user] += len(held.devices)
        projects[held.project, held.flavour] += len(held.devices)
        servers[held.user, held.name] += 1
    for grant in decided.grants:
        ticket = history.tickets[grant.ticket]
        users[ticket.user] += len(grant.devices)
        projects[ticket.project, ticket.flavour] += len(grant.devices)
        servers[ticket.user, ticket.name] += 1
        _must(users[ticket.user] <= history.most, f"2: {ticket.user} is over the limit")
        share = sum(history.shares[ticket.project])
        _must(projects[ticket.project, ticket.flavour] <= share, f"3: {ticket.project} is over its share")
        _must(servers[ticket.user, ticket.name] == 1, f"{ticket.name} of {ticket.user} got two leases")


def check_promises(history: History, decided: Plan) -> None:
    for report in decided.broken:
        _must(report.cause in history.causes, f"6: {report.ticket} broken by {report.cause}, which never happened")
        history.broken.add(report.ticket)
    for ticket in history.tickets.values():
        _check_number(history, ticket.id, decided.promises.get(ticket.id, ticket.starts_by))
    starts = {grant.ticket: grant.starts for grant in decided.grants}
    starts |= {slot.ticket: slot.start for slot in decided.slots}
    for ticket_id, promise in history.told.items():
        kept = ticket_id in starts and max(starts[ticket_id], history.now) <= promise + MARGIN + INSTANTS
        _must(kept or ticket_id in history.broken, f"6: {ticket_id} waits past its promise, and nobody said so")


def check_new_promises(history: History, before: World, decided: Plan) -> None:
    """A promise is inside the project's own devices: at its start nobody of the project has to borrow for it."""
    slots = {slot.ticket: slot for slot in decided.slots}
    for name, start in decided.promises.items():
        ticket = history.tickets[name]
        if ticket.starts_by is not None:
            continue
        held = sum(
            len(lease.devices)
            for lease in before.leases
            if (lease.project, lease.flavour) == (ticket.project, ticket.flavour) and lease.ends > start
        )
        promised = sum(
            other.gpus
            for other in history.tickets.values()
            if (other.project, other.flavour) == (ticket.project, ticket.flavour)
            and other.id in slots
            and slots[other.id].start <= start < slots[other.id].end
        )
        own = history.shares[ticket.project][0]
        _must(held + promised <= own, f"{name} was promised more than {ticket.project}'s own {own} devices")


def check_taken(history: History, before: World, decided: Plan) -> None:
    """Only what is borrowed is taken back, and used for long enough, for who has waited and gets it in time."""
    leases = {lease.ticket: lease for lease in before.leases}
    starts = {slot.ticket: slot.start for slot in decided.slots} | {g.ticket: g.starts for g in decided.grants}
    queue = history.world.catalogue.queue
    for taken in decided.taken:
        _must(taken.ticket in leases, f"{taken.ticket} was taken too early: it was granted just now")
        lease, ticket, asks = leases[taken.ticket], history.tickets[taken.ticket], history.tickets[taken.taken_for]
        older = [
            other
            for other in before.leases
            if (other.project, other.flavour) == (lease.project, lease.flavour)
            and (other.starts, other.ticket) <= (lease.starts, lease.ticket)
        ]
        own = history.shares[lease.project][0]
        _must(sum(len(other.devices) for other in older) > own, f"{taken.ticket} was taken, and is not borrowed")
        _must(ticket.state is State.RUNNING, f"{taken.ticket} was taken and is {ticket.state.value}")
        _must(history.now >= lease.starts + queue.borrow_min, f"{taken.ticket} was taken too early")
        _must(taken.ends == history.now + queue.grace < lease.ends, f"{taken.ticket} was not given its grace")
        _must(history.now >= asks.in_line_since + queue.wait_before_taking, f"{asks.id} has not waited yet")
        _must(starts[asks.id] <= taken.ends + MARGIN, f"what was taken for {asks.id} is not kept for it")
    for project, (own, _) in history.shares.items():
        for flavour in ("big", "slice"):
            asking = {t.taken_for for t in decided.taken if history.tickets[t.taken_for].project == project}
            gpus = sum(history.tickets[name].gpus for name in asking if history.tickets[name].flavour == flavour)
            held = sum(len(x.devices) for x in before.leases if (x.project, x.flavour) == (project, flavour))
            _must(not gpus or held + gpus <= own, f"{project} took back more than its own")


def check_extended(history: History, before: World, longer: Lease) -> None:
    """Who goes on longer passes over nobody with less use, and pushes no promise out of the project's own devices."""
    alike = [x for x in before.leases if (x.project, x.flavour) == (longer.project, longer.flavour)]
    older = [x for x in alike if (x.starts, x.ticket) <= (longer.starts, longer.ticket)]
    waiting = {ticket.project for ticket in before.line() if ticket.flavour == longer.flavour}
    own = history.shares[longer.project][0]
    _must(not waiting or sum(len(x.devices) for x in older) <= own, f"{longer.ticket} is borrowed, and {waiting} wait")
    use = Counter[str]()
    for lease in before.leases:
        hours = len(lease.devices) * ((lease.ends - lease.starts) / timedelta(hours=1))
        use[lease.project] += hours / history.shares[lease.project][0]
    passed_over = {project for project in waiting if use[project] < use[longer.project]}
    _must(not passed_over, f"{longer.ticket} goes on before {passed_over}")
    slots = {slot.ticket: slot for slot in before.slots}
    promised = [t for t in before.line() if t.starts_by and (t.project, t.flavour) == (longer.project, longer.flavour)]
    after = [longer if x.ticket == longer.ticket else x for x in alike]
    for at in (slots[ticket.id].start for ticket in promised):
        planned = sum(t.gpus for t in promised if slots[t.id].start <= at < slots[t.id].end)
        was, is_now = (planned + sum(len(x.devices) for x in leases if x.ends > at) for leases in (alike, after))
        _must(was > own or is_now <= own, f"{longer.ticket} goes on, and what was promised must borrow")


def check_moves(history: History, before: World, decided: Plan) -> None:
    stored = {slot.ticket: slot.start for slot in before.slots}
    later = [slot.ticket for slot in decided.slots if slot.start > stored.get(slot.ticket, slot.start)]
    _must(not later or bool(history.causes), f"a slot moved later and nothing happened: {later}")


def check_settled(history: History) -> None:
    """A decision is complete: looking again at the same time finds nothing more to do."""
    again = plan(history.as_stored(), history.now)
    _must(not again.grants and not again.broken, "somebody could have started, or was told only now")
    lower = any(t.priority is not Priority.INTERACTIVE for t in history.tickets.values() if t.state is State.QUEUED)
    if again.taken or lower:
        return  # who asked in vain asks again from time to time; who lost a place to a higher class has a later look
    _must(set(again.slots) == set(history.world.slots), "a second look moves slots that the first could have moved")


def _check_number(history: History, ticket: str, number: datetime | None) -> None:
    if history.tickets[ticket].state is not State.QUEUED or number is None:
        return
    told = history.told.setdefault(ticket, number)
    _must(number <= told, f"6b: {ticket} was told {told}, and is now told {number}")


def _must(holds: bool, message: str) -> None:
    if not holds:
        raise InvariantBroken(message)
