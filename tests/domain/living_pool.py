"""A small pool as the service runs it: settle, decide, check the invariants, store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from labpool.domain.budgets import Budget, Per, Spent
from labpool.domain.catalogue import Catalogue, Flavour, Limits, Profile, Project, QueueRules, UserLimit
from labpool.domain.ends import End, Requeue, due
from labpool.domain.fallbacks import has_fallback
from labpool.domain.inventory import Device, Inventory
from labpool.domain.leases import Lease
from labpool.domain.plans import BreakCause, Grant, Plan
from labpool.domain.reservations import Reservation
from labpool.domain.tickets import Event, Priority, State, Ticket
from labpool.domain.world import World

from tests.domain import kept_rules, rules
from tests.domain.lab import HOUR, NINE
from tests.domain.machines import Machines
from tests.domain.rules import DEVICES, MARGIN

Planner = Callable[[World, datetime], Plan]

PROFILES = {
    name: Profile(name, name, flavour, gpus, 0, 0, 6 * HOUR, priority=each, longest_in_all=12 * HOUR)
    for flavour in ("big", "slice")
    for gpus in (1, 2, 3)
    for each in Priority
    for name in (f"{flavour}-{gpus}-{each.value}",)
}


@dataclass
class LivingPool:
    """A pool with its queue, and what was told to whom."""

    planner: Planner
    lateness: timedelta = timedelta(0)
    linger: timedelta = timedelta(0)
    now: datetime = NINE
    tickets: dict[str, Ticket] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    world: World = field(init=False)
    stuck: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    machines: Machines = field(default_factory=Machines)
    devices: tuple[Device, ...] = DEVICES
    causes: set[BreakCause] = field(default_factory=set)
    looks_at: datetime | None = None
    told: dict[str, datetime] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    most: int = 3
    shares: dict[str, tuple[int, int]] = field(default_factory=lambda: {"vision": (2, 1), "speech": (2, 3)})
    asked: int = 0
    reservations: list[Reservation] = field(default_factory=list)
    lend: dict[str, int] = field(default_factory=dict)
    budgets: dict[str, float] = field(default_factory=lambda: {"speech": 12.0})
    spent: Spent = field(default_factory=Spent)

    def __post_init__(self) -> None:
        self.world = World(Inventory(), self._catalogue())

    def look(self) -> None:
        """What the pool does each time it looks round: settle, decide, check, store."""
        self._settle_lost()
        for ticket in [t for t, held in self.leases.items() if self._settled_at(held) <= self.now]:
            if ticket not in self.stuck:
                self._end(ticket)
        before = self.world = self.as_stored()
        decided = self.planner(before, self.now)
        self.check(before, decided)
        self._store(decided)
        rules.check_settled(self)
        rules.check_fallbacks(self)

    def check(self, before: World, decided: Plan) -> None:
        """Hold a decision against the invariants, the pool being as it was `before`."""
        rules.check_grants(self, before, decided)
        kept_rules.check_kept(self, before, decided)
        kept_rules.check_budgets(self, before, decided)
        rules.check_in_service(self, decided)
        rules.check_lost_count_nothing(self, before, decided)
        rules.check_promises(self, decided)
        rules.check_new_promises(self, before, decided)
        rules.check_taken(self, before, decided)
        rules.check_moves(self, before, decided)

    def blamed(self, _ticket: str) -> set[BreakCause]:
        """What may have broken a ticket's promise just now: here all that ever happened."""
        return self.causes

    def _settle_lost(self) -> None:
        """Do what is due on leases that are lost with their node; nothing of them runs."""
        inventory = self.as_stored().inventory
        for name, lease in list(self.leases.items()):
            node, ticket = inventory.lost_node(lease.devices), self.tickets[name]
            step = due(lease, ticket, self.world.catalogue.queue, self.now, alive=False, lost_with=node)
            if node is None or not isinstance(step, (Requeue, End)):
                continue
            rules.check_lost(self, lease, node, step)
            del self.leases[name]
            if isinstance(step, Requeue):
                self.stuck.discard(name)
                self._requeue(ticket, step.left)
            else:
                self._forget(name)

    def as_stored(self) -> World:
        """What the pool's store shows."""
        withheld = tuple((device, "lost") for device in sorted(self.lost))
        return World(
            self.machines.inventory(withheld),
            self._catalogue(),
            tuple(self.tickets.values()),
            tuple(self.leases.values()),
            self.world.slots,
            self.world.looked_at,
            reservations=tuple(self.reservations),
            spent=self.spent,
        )

    def _catalogue(self) -> Catalogue:
        flavours = {name: Flavour(name, name) for name in ("big", "slice")}
        projects = {
            name: Project(
                name,
                name,
                everyone=True,
                nominal=dict.fromkeys(flavours, own),
                borrow=dict.fromkeys(flavours, more),
                profiles=tuple(PROFILES),
                lend=dict.fromkeys(flavours, self.lend.get(name, own)),
                budget=self.budget_of(name),
            )
            for name, (own, more) in self.shares.items()
        }
        return Catalogue(flavours, PROFILES, projects, Limits(UserLimit(self.most, 3, 8)), QueueRules(turnover=MARGIN))

    def most_of(self, user: str) -> int:
        """How many devices a user may hold at once."""
        return self.most

    def node_of(self, device: str) -> str:
        """The node of a device."""
        return next(each.node for each in self.devices if each.id == device)

    def budget_of(self, project: str) -> Budget | None:
        """What a project may use each day; the first one is over four hours after the beginning."""
        hours = self.budgets.get(project)
        return Budget(hours, Per.DAY, timezone(timedelta(hours=11))) if hours is not None else None

    def _store(self, decided: Plan) -> None:
        for ticket, promise in decided.promises.items():
            self.tickets[ticket] = replace(self.tickets[ticket], starts_by=promise)
        for grant in decided.grants:
            self.let_start(grant)
        for taken in decided.taken:
            self.leases[taken.ticket] = replace(self.leases[taken.ticket], ends=taken.ends)
            self.tickets[taken.ticket] = self.tickets[taken.ticket].after(Event.RECLAIM, self.now)
        self.world = replace(self.world, slots=decided.slots, looked_at=self.now)
        self.looks_at = decided.looks_at

    def let_start(self, grant: Grant) -> None:
        """Store a grant."""
        ticket = self.tickets[grant.ticket]
        self.told.pop(ticket.id, None)
        self.tickets[ticket.id] = ticket.after(Event.GRANT, self.now)
        who = (ticket.id, ticket.user, ticket.name, ticket.project, ticket.flavour)
        self.leases[ticket.id] = Lease(*who, grant.devices, grant.starts, grant.ends)

    def _settled_at(self, held: Lease) -> datetime:
        return held.ends + self.linger

    def _let_go(self, ticket: str) -> Lease:
        """Take a lease away and book what it has used, never more than was set aside."""
        lease = self.leases.pop(ticket)
        budget, until = self.budget_of(lease.project), min(max(self.now, lease.starts), lease.ends)
        if budget:
            rate = self.world.catalogue.rate(lease.flavour, len(lease.devices))
            self.spent = self.spent.with_run(budget, lease.project, rate, lease.starts, until)
        return lease

    def _end(self, ticket: str) -> None:
        """End a lease; where it was taken back, its ticket goes back in line for what is left."""
        lease, held = self._let_go(ticket), self.tickets[ticket]
        left = held.duration - (lease.ends - lease.starts)
        if held.state is State.RECLAIMING and left > timedelta(0):
            self.stuck.discard(ticket)
            self._requeue(held, left)
        else:
            self._forget(ticket)

    def _requeue(self, ticket: Ticket, left: timedelta) -> None:
        falls_back = has_fallback(ticket, self.world.slots, self.world.catalogue, self.now)
        if not falls_back:
            self._drop_slot(ticket.id)
        self.tickets[ticket.id] = ticket.requeued(self.now, left, falls_back)

    def _drop_slot(self, ticket: str) -> None:
        self.world = replace(self.world, slots=tuple(slot for slot in self.world.slots if slot.ticket != ticket))

    def _forget(self, ticket: str) -> None:
        del self.tickets[ticket]
        self._drop_slot(ticket)
        self.told.pop(ticket, None)
        self.stuck.discard(ticket)
        self.broken.discard(ticket)
