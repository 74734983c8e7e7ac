"""What must hold of what is kept: what projects don't lend, reservations and budgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from labpool.domain.budgets import Account, costs, hours
from labpool.domain.inventory import Condition, Device
from labpool.domain.leases import Lease
from labpool.domain.plans import BreakCause, Plan
from labpool.domain.reservations import reserved
from labpool.domain.tickets import Ticket
from labpool.domain.usage import HOUR
from labpool.domain.world import World

from tests.domain.rules import MARGIN, counted, must

if TYPE_CHECKING:
    from tests.domain.living_pool import LivingPool


def check_kept(history: LivingPool, before: World, decided: Plan) -> None:
    """A start leaves to others what is kept for them as long as it runs: what they don't lend, and reservations."""
    leases = _as_taken(counted(history, before), decided)
    for grant in decided.grants:
        ticket = history.tickets[grant.ticket]
        who = (ticket.id, ticket.user, ticket.name, ticket.project, ticket.flavour)
        leases.append(Lease(*who, grant.devices, grant.starts, grant.ends))
    usable = _usable(history)
    for grant in decided.grants:
        ticket, node = history.tickets[grant.ticket], history.node_of(grant.devices[0])
        meets = [r for r in history.reservations if r.start < grant.ends and r.end > history.now]
        must(all(r.project or r.node != node for r in meets), f"{ticket.id} was granted a node that is closed")
        forced = BreakCause.ADMIN_CHANGE in history.causes and not all(r.project for r in history.reservations)
        if len(usable) < len(history.devices) or forced or not all(r.project for r in meets):
            continue  # what is not there can't be kept for everybody
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
            must(kept <= len(there) or not others, f"{ticket.id} got what is reserved on {node}")


def _as_taken(leases: Iterable[Lease], decided: Plan) -> list[Lease]:
    """The leases, those that are taken back with their new end."""
    ends = {taken.ticket: taken.ends for taken in decided.taken}
    return [replace(lease, ends=ends.get(lease.ticket, lease.ends)) for lease in leases]


def check_budgets(history: LivingPool, before: World, decided: Plan) -> None:
    """4: what is spent and set aside of each period stays within the budget, but for starts that come a little late."""
    for project in {history.tickets[grant.ticket].project for grant in decided.grants}:
        budget = history.budget_of(project)
        if budget is None:
            continue
        booked, granted = Counter(history.spent.of), Counter[Account]()
        for lease in _as_taken(before.leases, decided):
            if lease.project == project:
                booked.update(dict(costs(project, budget, 1000 * len(lease.devices), lease.starts, lease.ends)))
        for grant in decided.grants:
            if history.tickets[grant.ticket].project == project:
                granted.update(dict(costs(project, budget, 1000 * len(grant.devices), grant.starts, grant.ends)))
        late = MARGIN * len(history.devices) * 4
        for account, units in granted.items():
            over = hours(booked[account] + units) - budget.gpu_hours
            must(over <= late / HOUR, f"4: {project} is {over:.2f} GPU-hours over its budget")


def _check_left(history: LivingPool, ticket: Ticket, held: list[Lease], usable: list[Device], now: datetime) -> None:
    used = Counter[str]()
    for lease in held:
        used[lease.project] += sum(device in {d.id for d in usable} for device in lease.devices)
    anywhere = [each for each in history.reservations if not each.node]
    floors = {
        name: max(own - history.lend.get(name, own), 0) + reserved(anywhere, name, ticket.flavour, now)
        for name, (own, _) in history.shares.items()
    }
    others = 0
    for name, (own, _) in history.shares.items():
        never_lent = max(own - history.lend.get(name, own), 0)
        kept = never_lent + reserved(anywhere, name, ticket.flavour, now)
        others += max(used[name], kept) if name != ticket.project else 0
    on_nodes = sum(each.devices for each in history.reservations if each.node and each.is_on(now))
    too_few = sum(floors.values()) + on_nodes > len(usable)  # the first ones are kept then
    must(others + used[ticket.project] <= len(usable) or too_few, f"{ticket.id} got what others don't lend")


def _usable(history: LivingPool) -> list[Device]:
    serving = {name for name, node in history.machines.nodes.items() if node.condition is Condition.SERVING}
    return [device for device in history.devices if device.id not in history.lost and device.node in serving]
