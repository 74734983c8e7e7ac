"""Histories of a small pool: anything may happen to it, and after each decision the invariants are checked.

The pool's own part is done as the service does it: plan, store grants, slots and promises, settle leases at their end.
What goes wrong is put in by name, so that a history knows which causes it has given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st
from labpool.domain.budgets import Budget, Per, Spent
from labpool.domain.catalogue import Catalogue, Flavour, Limits, Profile, Project, QueueRules, UserLimit
from labpool.domain.ends import End, Requeue, due
from labpool.domain.extending import Extended, extend
from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease
from labpool.domain.plans import BreakCause, Plan
from labpool.domain.reservations import Reservation
from labpool.domain.reserving import consequences
from labpool.domain.tickets import Event, Priority, State, Ticket
from labpool.domain.world import World

from tests.domain import kept_rules, rules
from tests.domain.lab import HOUR, MINUTE, NINE
from tests.domain.machines import Machines
from tests.domain.rules import DEVICES, MARGIN

Planner = Callable[[World, datetime], Plan]
Step = tuple[str, int, int]

PROFILES = {
    f"{flavour}-{gpus}-{each.value}": Profile(
        "any", "any", flavour, gpus, 0, 0, 6 * HOUR, priority=each, longest_in_all=12 * HOUR
    )
    for flavour in ("big", "slice")
    for gpus in (1, 2, 3)
    for each in Priority
}
PEACEFUL = (
    *("wait", "ask", "ask", "ask", "use", "use", "extend", "stop", "cancel"),
    *("unclaimed", "ready", "raise_limits", "undone", "reserve"),
)
TROUBLE = (
    "lose_device",
    "return_device",
    "drain_node",
    "undrain_node",
    "fail_node",
    "return_node",
    "overrun",
    "settle",
    "outage",
    "clock_back",
    "lower_limits",
    "lower_shares",
    "ask_lower",
    "ask_lower",
    "force_reservation",
    "give_up_reservation",
    "lend_less",
    "lower_budget",
)


def histories(steps: tuple[str, ...], length: int) -> st.SearchStrategy[list[Step]]:
    """Lists of `length` steps: what happens, and two numbers that choose to whom and how much."""
    step = st.tuples(st.sampled_from(steps), st.integers(0, 11), st.integers(0, 11))
    return st.lists(step, min_size=length, max_size=length)


@dataclass
class History:
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

    def run(self, steps: list[Step]) -> None:
        """Let `steps` happen one after another, the pool deciding after each."""
        for kind, one, other in steps:
            getattr(self, f"_{kind}")(one, other)
            self.look()

    def look(self) -> None:
        """What the pool does each time it looks round: settle, decide, check, store."""
        self._settle_lost()
        for ticket in [t for t, held in self.leases.items() if self._settled_at(held) <= self.now]:
            if ticket not in self.stuck:
                self._end(ticket)
        before = self.world = self.as_stored()
        decided = self.planner(before, self.now)
        rules.check_grants(self, before, decided)
        kept_rules.check_kept(self, before, decided)
        kept_rules.check_budgets(self, before, decided)
        rules.check_nodes(self, before, decided)
        rules.check_promises(self, decided)
        rules.check_new_promises(self, before, decided)
        rules.check_taken(self, before, decided)
        rules.check_moves(self, before, decided)
        self._store(decided)
        rules.check_settled(self)

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
                self.tickets[name] = ticket.requeued(self.now, step.left)
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

    def budget_of(self, project: str) -> Budget | None:
        """What a project may use each day; the first one is over four hours after the beginning."""
        hours = self.budgets.get(project)
        return Budget(hours, Per.DAY, timezone(timedelta(hours=11))) if hours is not None else None

    def _store(self, decided: Plan) -> None:
        for ticket, promise in decided.promises.items():
            self.tickets[ticket] = replace(self.tickets[ticket], starts_by=promise)
        for grant in decided.grants:
            ticket = self.tickets[grant.ticket]
            self.told.pop(ticket.id, None)
            self.tickets[ticket.id] = ticket.after(Event.GRANT, self.now)
            who = (ticket.id, ticket.user, ticket.name, ticket.project, ticket.flavour)
            self.leases[ticket.id] = Lease(*who, grant.devices, grant.starts, grant.ends)
        for taken in decided.taken:
            self.leases[taken.ticket] = replace(self.leases[taken.ticket], ends=taken.ends)
            self.tickets[taken.ticket] = self.tickets[taken.ticket].after(Event.RECLAIM, self.now)
        self.world = replace(self.world, slots=decided.slots, looked_at=self.now)
        self.looks_at = decided.looks_at

    def _settled_at(self, held: Lease) -> datetime:
        return held.ends + self.linger

    # what may happen

    def _wait(self, one: int, other: int) -> None:
        """Time passes; the pool looks round whenever something begins or ends, a little late."""
        target = self.now + (one * 12 + other) * MINUTE
        while True:
            events = [slot.start for slot in self.world.slots]
            events += [self._settled_at(held) for held in self.leases.values()]
            events += [self.looks_at] if self.looks_at else []
            ahead = min((at for at in events if self.now < at <= target), default=None)
            if ahead is None:
                break
            self.now = ahead + self.lateness
            self.look()
        self.now = max(self.now, target)

    def _ask(self, one: int, other: int) -> None:
        self.asked += 1
        ticket = self._request(one, other)
        self.tickets[ticket.id] = ticket

    def _ask_lower(self, one: int, other: int) -> None:
        """Somebody asks in a lower class, whose promises a higher one may take."""
        self._ask(one, other)
        name = f"t{self.asked:03}"
        priority = (Priority.BATCH, Priority.SCAVENGER)[one % 2]
        profile = self.tickets[name].profile.replace(Priority.INTERACTIVE.value, priority.value)
        self.tickets[name] = replace(self.tickets[name], priority=priority, profile=profile)
        self.causes.add(BreakCause.HIGHER_CLASS)

    def _request(self, one: int, other: int) -> Ticket:
        gpus, hours = (1, 1, 2, 3)[one % 4], (0.5, 1, 2, 5)[other % 4]
        user, project = f"user{one % 3}", ("vision", "speech")[other % 2]
        flavour = "slice" if gpus < 3 and other > 8 else "big"
        name = f"server{(one + other) % 4}"
        who, profile = (f"t{self.asked:03}", user, frozenset[str](), name, project), f"{flavour}-{gpus}-interactive"
        return Ticket(*who, profile, flavour, gpus, hours * HOUR, self.now)

    def _lower_budget(self, one: int, other: int) -> None:
        project = ("vision", "speech")[one % 2]
        self.budgets[project] = 4.0 * other
        self.causes.add(BreakCause.ADMIN_CHANGE)

    def _use(self, one: int, _: int) -> None:
        granted = [name for name in self.leases if self.tickets[name].state is State.GRANTED]
        if held := self._pick(granted, one):
            self.tickets[held] = self.tickets[held].after(Event.FIRST_USE, self.now)

    def _extend(self, one: int, other: int) -> None:
        before = self.as_stored()
        used = [name for name in self.leases if self.tickets[name].state is State.RUNNING]
        held = self._pick(used, one)
        longer = extend(self.tickets[held], before, self.now, (1 + other) * 15 * MINUTE) if held else None
        if isinstance(longer, Extended):
            rules.check_extended(self, before, longer.lease)
            self.tickets[longer.ticket.id], self.leases[longer.ticket.id] = longer.ticket, longer.lease

    def _undone(self, one: int, _: int) -> None:
        """A decision is made with one ticket more, and the transaction is undone: nothing of it is stored."""
        before = self.as_stored()
        more = replace(self._request(one, one), id="undone")
        self.planner(replace(before, tickets=(*before.tickets, more)), self.now)

    def _stop(self, one: int, _: int) -> None:
        if held := self._pick(list(self.leases), one):
            self._let_go(held)
            self._forget(held)

    def _let_go(self, ticket: str) -> Lease:
        """Take a lease away and book what it has used, never more than was set aside."""
        lease = self.leases.pop(ticket)
        budget, until = self.budget_of(lease.project), min(max(self.now, lease.starts), lease.ends)
        if budget:
            rate = self.world.catalogue.rate(lease.flavour, len(lease.devices))
            self.spent = self.spent.with_run(budget, lease.project, rate, lease.starts, until)
        return lease

    def _cancel(self, one: int, _: int) -> None:
        if ticket := self._pick(self._queued(ready=True), one):
            self._forget(ticket)

    def _unclaimed(self, one: int, _: int) -> None:
        granted = [t for t in self.leases if self.tickets[t].state is State.GRANTED]
        if held := self._pick([t for t in granted if not self.tickets[t].unclaimed], one):
            self._let_go(held)
            self.stuck.discard(held)
            self.tickets[held] = self.tickets[held].after(Event.UNCLAIMED, self.now)

    def _ready(self, one: int, _: int) -> None:
        if ticket := self._pick(self._queued(ready=False), one):
            self.tickets[ticket] = self.tickets[ticket].said_ready(self.now)

    def _raise_limits(self, one: int, other: int) -> None:
        self.most = min(self.most + one % 2, 5)
        self.shares = {name: (own, min(more + other % 2, 5)) for name, (own, more) in self.shares.items()}

    def _reserve(self, one: int, other: int) -> None:
        """Somebody reserves, where that breaks nothing."""
        wanted = self._wanted(one, other)
        if consequences(self.as_stored(), [wanted], self.now).harmless:
            self._accept(wanted)

    def _force_reservation(self, one: int, other: int) -> None:
        """An admin reserves, whatever that breaks."""
        self._accept(self._wanted(one, other))
        self.causes.add(BreakCause.ADMIN_CHANGE)

    def _give_up_reservation(self, one: int, _: int) -> None:
        if self.reservations:
            del self.reservations[one % len(self.reservations)]
            self.causes.add(BreakCause.ADMIN_CHANGE)

    def _accept(self, wanted: Reservation) -> None:
        self.reservations = [each for each in self.reservations if each.end + MARGIN > self.now]
        self.reservations.append(wanted)

    def _wanted(self, one: int, other: int) -> Reservation:
        self.asked += 1
        start = self.now + one * 20 * MINUTE
        times = (f"r{self.asked:03}", start, start + (1 + other % 3) * HOUR)
        if one % 4 == 3:
            return Reservation(*times, node=("a", "b")[other % 2])
        project, node = ("vision", "speech")[other % 2], ("", "", "a", "b")[one % 4]
        return Reservation(*times, project, "big", 1 + one % 2, node)

    def _lend_less(self, one: int, _: int) -> None:
        name = ("vision", "speech")[one % 2]
        self.lend[name] = max(self.lend.get(name, self.shares[name][0]) - 1, 0)
        self.causes.add(BreakCause.ADMIN_CHANGE)

    def _lose_device(self, one: int, _: int) -> None:
        self.lost.add(DEVICES[one % len(DEVICES)].id)
        self.causes.add(BreakCause.DEVICE_UNAVAILABLE)

    def _return_device(self, one: int, _: int) -> None:
        self.lost.discard(self._pick(sorted(self.lost), one) or "")

    def _drain_node(self, one: int, _: int) -> None:
        self.machines.drain(one, self.now)
        self.causes.add(BreakCause.NODE_UNAVAILABLE)

    def _undrain_node(self, one: int, _: int) -> None:
        self.machines.undrain(one, self.now)

    def _fail_node(self, one: int, other: int) -> None:
        self.machines.fail(one, other, self.now)
        self.causes.add(BreakCause.NODE_UNAVAILABLE)

    def _return_node(self, one: int, _: int) -> None:
        self.machines.give_back(one, self.now)

    def _overrun(self, one: int, other: int) -> None:
        if held := self._pick(list(self.leases), one):
            self.stuck.add(held)
            self.causes.add(BreakCause.OVERRUN)
            self._wait(other // 2, 0)

    def _settle(self, one: int, _: int) -> None:
        self.stuck.discard(self._pick(sorted(self.stuck), one) or "")

    def _outage(self, one: int, other: int) -> None:
        self.now += (one * 12 + other) * MINUTE
        self.world = replace(self.world, looked_at=None)
        self.causes.add(BreakCause.POOL_OUTAGE)

    def _clock_back(self, one: int, _: int) -> None:
        self.now -= one * 10 * MINUTE
        self.causes.add(BreakCause.POOL_OUTAGE)

    def _lower_limits(self, one: int, _: int) -> None:
        self.most = max(self.most - one % 2, 1)
        self.causes.add(BreakCause.ADMIN_CHANGE)

    def _lower_shares(self, one: int, other: int) -> None:
        name = ("vision", "speech")[one % 2]
        self.shares[name] = (max(self.shares[name][0] - other % 2, 1), max(self.shares[name][1] - other % 3, 0))
        self.causes.add(BreakCause.ADMIN_CHANGE)

    def _queued(self, ready: bool) -> list[str]:
        return [t.id for t in self.tickets.values() if t.state is State.QUEUED and t.ready is ready]

    def _end(self, ticket: str) -> None:
        """End a lease; where it was taken back, its ticket goes back in line for what is left."""
        lease, held = self._let_go(ticket), self.tickets[ticket]
        left = held.duration - (lease.ends - lease.starts)
        if held.state is State.RECLAIMING and left > timedelta(0):
            self.stuck.discard(ticket)
            self.tickets[ticket] = held.requeued(self.now, left)
        else:
            self._forget(ticket)

    def _forget(self, ticket: str) -> None:
        del self.tickets[ticket]
        self.told.pop(ticket, None)
        self.stuck.discard(ticket)
        self.broken.discard(ticket)

    @staticmethod
    def _pick(names: list[str], number: int) -> str | None:
        return names[number % len(names)] if names else None
