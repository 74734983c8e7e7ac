"""What must hold after each decision of a history: the invariants of the pool."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from labpool.domain.budgets import Account, costs, hours
from labpool.domain.catalogue import QueueRules
from labpool.domain.inventory import Device
from labpool.domain.leases import Lease
from labpool.domain.planner import plan
from labpool.domain.plans import Plan
from labpool.domain.reservations import reserved
from labpool.domain.tickets import Priority, State, Ticket
from labpool.domain.usage import HOUR
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
        share = sum(history.shares[ticket.project]) + _reserved(history, ticket.project, ticket.flavour, history.now)
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
    ends = {taken.ticket: taken.ends for taken in decided.taken}
    for name, start in decided.promises.items():
        ticket = history.tickets[name]
        if ticket.starts_by is not None:
            continue
        held = sum(
            len(lease.devices)
            for lease in before.leases
            if (lease.project, lease.flavour) == (ticket.project, ticket.flavour)
            and ends.get(lease.ticket, lease.ends) > start
        )
        promised = sum(
            other.gpus
            for other in history.tickets.values()
            if (other.project, other.flavour) == (ticket.project, ticket.flavour)
            and other.id in slots
            and slots[other.id].start <= start < slots[other.id].end
        )
        own = history.shares[ticket.project][0] + _reserved(history, ticket.project, ticket.flavour, start)
        _must(held + promised <= own, f"{name} was promised more than {ticket.project}'s own {own} devices")


def check_kept(history: History, before: World, decided: Plan) -> None:
    """A start leaves to others what is kept for them as long as it runs: what they don't lend, and reservations."""
    leases = _as_taken(before, decided)
    for grant in decided.grants:
        ticket = history.tickets[grant.ticket]
        who = (ticket.id, ticket.user, ticket.name, ticket.project, ticket.flavour)
        leases.append(Lease(*who, grant.devices, grant.starts, grant.ends))
    usable = [device for device in DEVICES if device.id not in history.lost]
    for grant in decided.grants:
        ticket, node = history.tickets[grant.ticket], grant.devices[0].split("-")[0]
        meets = [r for r in history.reservations if r.start < grant.ends and r.end > history.now]
        _must(all(r.project or r.node != node for r in meets), f"{ticket.id} was granted a node that is closed")
        for now in (history.now, *(r.start for r in meets if r.start > history.now)):
            held = [lease for lease in leases if lease.ends > now and lease.flavour == ticket.flavour]
            _check_left(history, ticket, held, [d for d in usable if d.flavour == ticket.flavour], now)
            on_node = [r for r in meets if (r.node, r.flavour) == (node, ticket.flavour) and r.is_on(now)]
            others = Counter({r.project: r.devices for r in on_node if r.project != ticket.project})
            there = {d.id for d in usable if (d.node, d.flavour) == (node, ticket.flavour)}
            used = Counter[str]()
            for lease in held:
                used[lease.project] += len(there & set(lease.devices))
            kept = sum(max(used[name], others[name]) for name in used.keys() | others.keys())
            _must(kept <= len(there) or not others, f"{ticket.id} got what is reserved on {node}")


def _as_taken(before: World, decided: Plan) -> list[Lease]:
    """The leases, those that are taken back with their new end."""
    ends = {taken.ticket: taken.ends for taken in decided.taken}
    return [replace(lease, ends=ends.get(lease.ticket, lease.ends)) for lease in before.leases]


def check_budgets(history: History, before: World, decided: Plan) -> None:
    """4: what is spent and set aside of each period stays within the budget, but for starts that come a little late."""
    for project in {history.tickets[grant.ticket].project for grant in decided.grants}:
        budget = history.budget_of(project)
        if budget is None:
            continue
        booked, granted = Counter(history.spent.of), Counter[Account]()
        for lease in _as_taken(before, decided):
            if lease.project == project:
                booked.update(dict(costs(project, budget, 1000 * len(lease.devices), lease.starts, lease.ends)))
        for grant in decided.grants:
            if history.tickets[grant.ticket].project == project:
                granted.update(dict(costs(project, budget, 1000 * len(grant.devices), grant.starts, grant.ends)))
        late = MARGIN * len(DEVICES) * 4
        for account, units in granted.items():
            over = hours(booked[account] + units) - budget.gpu_hours
            _must(over <= late / HOUR, f"4: {project} is {over:.2f} GPU-hours over its budget")


def _check_left(history: History, ticket: Ticket, held: list[Lease], usable: list[Device], now: datetime) -> None:
    used = Counter[str]()
    for lease in held:
        used[lease.project] += sum(device in {d.id for d in usable} for device in lease.devices)
    floors = {
        name: max(own - history.lend.get(name, own), 0) + reserved(history.reservations, name, ticket.flavour, now)
        for name, (own, _) in history.shares.items()
    }
    kept = sum(max(used[name], floor) for name, floor in floors.items())
    fits = kept <= len(usable) or used[ticket.project] <= floors[ticket.project]
    too_few = sum(floors.values()) > len(usable)
    _must(fits or too_few, f"{ticket.id} got what others don't lend")


def _reserved(history: History, project: str, flavour: str, at: datetime) -> int:
    """What is reserved for a project, counting the margin behind it."""
    mine = (r for r in history.reservations if (r.project, r.flavour) == (project, flavour))
    return sum(r.devices for r in mine if r.start <= at < r.end + MARGIN)


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
        own = history.shares[lease.project][0] + _reserved(history, lease.project, lease.flavour, history.now)
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
            mine = own + _reserved(history, project, flavour, history.now)
            _must(not gpus or held + gpus <= mine, f"{project} took back more than its own")


def check_moves(history: History, before: World, decided: Plan) -> None:
    stored = {slot.ticket: slot.start for slot in before.slots}
    later = [slot for slot in decided.slots if slot.start > stored.get(slot.ticket, slot.start)]
    if history.reservations:  # one that was accepted may take a place, as long as the promise stands
        told = history.told
        later = [slot for slot in later if slot.start > told.get(slot.ticket, slot.start) + MARGIN + INSTANTS]
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
