"""What a store says of its pool after each transaction, held against the invariants: not what the desk remembers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from labpool.domain.budgets import Budget
from labpool.domain.leases import Lease
from labpool.domain.overrides import Rule
from labpool.domain.plans import BreakCause, BrokenPromise, Grant, Plan, Taken
from labpool.domain.tickets import HOLDING, State, Ticket
from labpool.domain.world import World
from labpool.service.desk import Desk
from labpool.service.fair_share import FairShare
from labpool.service.in_force import in_force
from labpool.service.spending import Spending
from labpool.store import Part
from labpool.store.kept import Kept, read
from labpool.store.models import AuditRow, LeasedDeviceRow, TicketRow
from labpool.store.sqlite import READS_ONLY
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.domain import rules
from tests.domain.living_pool import LivingPool
from tests.domain.rules import must

_STATE = re.compile(r"(\w+), attempt (\d+)")
_TOLD_APART = {"granted": State.GRANTED, "taken_back": State.RECLAIMING}
_PARTS = {part.value for part in Part}
Standing = tuple[str, int]
"""A ticket's state and attempt."""
Subject = tuple[Rule | None, str, str]
"""Of an override, what it puts another value in place of; other acts have one of their own each."""


@dataclass(frozen=True)
class Seen:
    """The store after a transaction at `now`: what it says, what the pool remembers, and what came to the trail.

    `devices` are those in rows of live leases, `standings` those of all tickets, open and ended.
    """

    now: datetime
    decided: bool
    stored: Kept
    remembered: Kept
    trail: tuple[AuditRow, ...]
    devices: Counter[str]
    standings: dict[str, Standing]
    world: World


def look_at(engine: Engine, desk: Desk, remembered: Kept, since: int) -> Seen:
    """Read a store, of its audit trail the rows after number `since`."""
    now = desk.clock()
    with Session(engine.execution_options(**{READS_ONLY: True})) as session, session.begin():
        stored = read(session.connection())
        trail = session.scalars(select(AuditRow).where(AuditRow.id > since).order_by(AuditRow.id)).all()
        devices = session.scalars(select(LeasedDeviceRow.device).where(LeasedDeviceRow.live))
        tickets = session.execute(select(TicketRow.id, TicketRow.state, TicketRow.attempt))
        standings = {ticket: (state, attempt) for ticket, state, attempt in tickets}
        counted = Counter(devices)
        session.expunge_all()
    world = _world(stored, desk, now)
    return Seen(now, desk.hub_answers, stored, remembered, tuple(trail), counted, standings, world)


def _world(stored: Kept, desk: Desk, now: datetime) -> World:
    """What the store says. What of reservations was given back unused is not kept in it, so the desk tells that."""
    inventory, catalogue, _ = in_force(desk.found, stored.acts, now)
    usage, spent = FairShare().usage(stored.ended, catalogue), Spending().spent(stored.ended, catalogue)
    reservations = desk.occurrences.of(stored.reservations, now, catalogue.queue.turnover)
    known = (tuple(stored.tickets.values()), tuple(stored.leases.values()), tuple(stored.slots.values()))
    return World(inventory, catalogue, *known, now, usage, reservations=reservations, spent=spent)


@dataclass
class StoredPool(LivingPool):
    """A pool as its store shows it. The rules are those that the planner's histories are held against."""

    trail: dict[str, Standing] = field(default_factory=dict)
    said: dict[str, Subject] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = LivingPool(self.planner).as_stored()

    def see(self, seen: Seen) -> None:
        """Check what a transaction left; where it decided, also what."""
        self.now = seen.now
        check_kept(seen)
        self._check_trail(seen)
        before, decided = decision_in(self.world, seen)
        again = {ticket.id for ticket in _in_line_anew(self.world, seen.world)}
        self.told = {ticket: number for ticket, number in self.told.items() if ticket not in again}
        self._show(before)
        if seen.decided:
            self.check(before, decided)
        self._show(seen.world)
        if seen.decided:
            self.check_settled()

    def check_settled(self) -> None:
        """A decision left nothing to decide."""
        rules.check_settled(self)

    def most_of(self, user: str) -> int:
        """By the rules in force."""
        return self.world.catalogue.limits.of(user, frozenset()).gpus

    def budget_of(self, project: str) -> Budget | None:
        """By the rules in force."""
        return self.world.catalogue.budgets().get(project)

    def as_stored(self) -> World:
        """What the store says."""
        return self.world

    def _show(self, world: World) -> None:
        self.world = world
        self.tickets = {ticket.id: ticket for ticket in world.tickets}
        self.machines.nodes = {node.name: node for node in world.inventory.nodes}
        self.devices, self.lost = world.inventory.devices, {device for device, _ in world.inventory.withheld}
        projects = world.catalogue.projects.values()
        self.shares = {each.name: (each.nominal["big"], each.borrow["big"]) for each in projects}
        self.lend = {each.name: each.lend["big"] for each in projects}
        self.reservations, self.spent = list(world.reservations), world.spent
        waiting = {ticket.id for ticket in world.tickets if ticket.state is State.QUEUED}
        self.told = {ticket: number for ticket, number in self.told.items() if ticket in waiting}
        self.broken &= self.tickets.keys()

    def _check_trail(self, seen: Seen) -> None:
        """8: who did it, when, and to what: the trail alone tells how each ticket stands, and of each act."""
        people = _PARTS.union(seen.stored.pseudonyms.values())
        for row in seen.trail:
            must(row.at == seen.now and row.actor in people, f"8: {row.event} was done by {row.actor} at {row.at}")
            if row.ticket is not None and (standing := _told(row, self.trail.get(row.ticket))):
                self.trail[row.ticket] = standing
        must(self.trail == seen.standings, f"8: the trail tells {self.trail}, and the store {seen.standings}")
        said = _acts(seen.stored)
        replaced = {self.said[act] for act in self.said.keys() - said.keys()} & set(said.values())
        named = {row.detail.partition(":")[0] for row in seen.trail}
        changed = {act for act in said.keys() ^ self.said.keys() if act in said or self.said[act] not in replaced}
        must(changed <= named, f"8: nobody said what became of {changed - named}")
        self.said = said


def check_kept(seen: Seen) -> None:
    """1 and 5: a pool killed now finds all of it again, each device in one lease and each lease with its ticket."""
    for what in ("tickets", "leases", "slots", "reservations", "acts", "pseudonyms", "audited"):
        there, known = getattr(seen.stored, what), getattr(seen.remembered, what)
        must(there == known, f"5: of {what} the store has {there}, and the pool remembers {known}")
    must(Counter(seen.stored.ended) == Counter(seen.remembered.ended), "5: the store tells of other runs that are over")
    held = Counter(device for lease in seen.stored.leases.values() for device in lease.devices)
    must(max(held.values(), default=1) == 1, f"1: a device is in two leases: {held}")
    must(held == seen.devices, f"5: devices are kept by no lease: {seen.devices - held}")
    holding = {ticket.id for ticket in seen.stored.tickets.values() if ticket.state in HOLDING}
    must(holding == seen.stored.leases.keys(), f"5: {holding} hold something, and there are {seen.stored.leases}")
    placed = seen.stored.slots.keys()
    must(placed <= seen.stored.tickets.keys(), f"5: {placed - seen.stored.tickets.keys()} have a place, and are over")


def decision_in(before: World, seen: Seen) -> tuple[World, Plan]:
    """The world that a transaction decided on, and what it decided."""
    after, held = seen.world, {(lease.ticket, lease.starts): lease for lease in before.leases}
    taken = {row.ticket: row.detail.split()[1] for row in seen.trail if row.event == "taken_back"}
    stayed = [lease for lease in after.leases if (lease.ticket, lease.starts) in held]
    granted = [lease for lease in after.leases if (lease.ticket, lease.starts) not in held]
    anew = {ticket.id for ticket in _in_line_anew(before, after)}
    known = {ticket.id: ticket for ticket in before.tickets if ticket.id not in anew}
    undone = {lease.ticket: State.QUEUED for lease in granted} | dict.fromkeys(taken, State.RUNNING)
    tickets = tuple(
        replace(each, state=undone.get(each.id, each.state), starts_by=_told_before(each, known))
        for each in after.tickets
    )
    decided_on = replace(
        after,
        tickets=tickets,
        leases=tuple(_as_it_was(lease, held) if lease.ticket in taken else lease for lease in stayed),
        slots=tuple(slot for slot in before.slots if slot.ticket in known),
        looked_at=before.looked_at,
    )
    plan = Plan(
        grants=tuple(Grant(lease.ticket, lease.devices, lease.starts, lease.ends) for lease in granted),
        slots=after.slots,
        taken=tuple(Taken(each.ticket, each.ends, taken[each.ticket]) for each in stayed if each.ticket in taken),
        broken=tuple(_broken(row) for row in seen.trail if row.event == "promise_broken"),
        promises={
            new.id: new.starts_by
            for new, old in zip(after.tickets, tickets, strict=True)
            if new.starts_by and not old.starts_by
        },
    )
    return decided_on, plan


def _in_line_anew(before: World, after: World) -> Iterator[Ticket]:
    """Tickets that came back in line or changed their place in it: what they were told before is over."""
    known = {ticket.id: ticket for ticket in before.tickets}
    for ticket in after.tickets:
        was = known.get(ticket.id, ticket)
        if (was.attempt, was.unclaimed, was.moved_to) != (ticket.attempt, ticket.unclaimed, ticket.moved_to):
            yield ticket


def _told_before(ticket: Ticket, known: dict[str, Ticket]) -> datetime | None:
    return known[ticket.id].starts_by if ticket.id in known else None


def _as_it_was(lease: Lease, held: dict[tuple[str, datetime], Lease]) -> Lease:
    return replace(lease, ends=held[lease.ticket, lease.starts].ends)


def _broken(row: AuditRow) -> BrokenPromise:
    promised, _, cause = row.detail.removeprefix("promised ").partition(", planned ")
    planned, _, cause = cause.rpartition(": ")
    later = None if planned == "nothing yet" else datetime.fromisoformat(planned)
    return BrokenPromise(row.ticket or "", datetime.fromisoformat(promised), later, BreakCause(cause))


def _told(row: AuditRow, before: Standing | None) -> Standing | None:
    """How a ticket stands by a row of the trail; None where the row tells of something else."""
    if row.event in _TOLD_APART and before is not None:
        return _TOLD_APART[row.event].value, before[1]
    found = _STATE.fullmatch(row.detail)
    return (found[1], int(found[2])) if found else None


def _acts(stored: Kept) -> dict[str, Subject]:
    """What people said and nobody has ended, by id, with what an override puts another value in place of."""
    withdrawals, overrides = stored.acts
    said: dict[str, Subject] = {each.id: (None, "", each.id) for each in (*withdrawals, *stored.reservations)}
    return said | {each.id: each.subject for each in overrides}
