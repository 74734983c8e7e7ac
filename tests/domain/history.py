"""Histories of a small pool: anything may happen to it, and after each decision the invariants are checked.

The pool's own part is done as the service does it: plan, store grants, slots and promises, settle leases at their end.
What goes wrong is put in by name, so that a history knows which causes it has given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from hypothesis import strategies as st
from labpool.domain.extending import Extended, extend
from labpool.domain.granting import grant_first
from labpool.domain.plans import BreakCause, Grant
from labpool.domain.reservations import Reservation
from labpool.domain.reserving import consequences
from labpool.domain.tickets import Event, Priority, State, Ticket

from tests.domain import rules
from tests.domain.lab import HOUR, MINUTE
from tests.domain.living_pool import LivingPool, Planner
from tests.domain.rules import DEVICES, MARGIN

Step = tuple[str, int, int]

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
ALL_TROUBLE = (*TROUBLE, "restart", "clock_forward", "raise_shares", "grant_first")
"""Also what is rare in a lab, and would dilute the hunts for mutants that it isn't needed for."""


def histories(steps: tuple[str, ...], length: int) -> st.SearchStrategy[list[Step]]:
    """Lists of `length` steps: what happens, and two numbers that choose to whom and how much."""
    step = st.tuples(st.sampled_from(steps), st.integers(0, 11), st.integers(0, 11))
    return st.lists(step, min_size=length, max_size=length)


@dataclass
class History(LivingPool):
    """A pool, and what may happen to it.

    `started` makes the planner of a pool that starts again; one that remembers nothing needs none.
    """

    started: Callable[[], Planner] | None = None
    admin_acts: int = 0
    """So often an admin changed something."""
    promised_after: dict[tuple[str, datetime], int] = field(default_factory=dict)
    """After how many of these each ticket was promised its start."""

    def run(self, steps: list[Step]) -> None:
        """Let `steps` happen one after another, the pool deciding after each."""
        for kind, one, other in steps:
            getattr(self, f"_{kind}")(one, other)
            self.look()

    def look(self) -> None:
        """The same, after which it is known what was promised after which of an admin's acts."""
        super().look()
        for ticket in self.tickets.values():
            if ticket.starts_by:
                self.promised_after.setdefault((ticket.id, ticket.starts_by), self.admin_acts)

    def blamed(self, ticket: str) -> set[BreakCause]:
        """An admin is to blame only for what was promised before the last act; the rest may tell later."""
        told = self.tickets[ticket].starts_by
        acts_before = self.promised_after[ticket, told] if told else 0
        return self.causes if acts_before < self.admin_acts else self.causes - {BreakCause.ADMIN_CHANGE}

    def _happened(self, cause: BreakCause) -> None:
        self.admin_acts += cause is BreakCause.ADMIN_CHANGE
        self.causes.add(cause)

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
        self._happened(BreakCause.HIGHER_CLASS)

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
        self._happened(BreakCause.ADMIN_CHANGE)

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

    def _undone(self, one: int, other: int) -> None:
        """A decision is made with one ticket more, or fewer, and the transaction is undone: nothing of it is stored."""
        before = self.as_stored()
        away = self._pick(self._queued(ready=True), one) if other % 2 else None
        more = () if away else (replace(self._request(one, one), id="undone"),)
        stay = tuple(replace(each, ready=False) if each.id == away else each for each in before.tickets)
        self.planner(replace(before, tickets=(*stay, *more)), self.now)

    def _stop(self, one: int, _: int) -> None:
        if held := self._pick(list(self.leases), one):
            self._let_go(held)
            self._forget(held)

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
        self._happened(BreakCause.ADMIN_CHANGE)

    def _give_up_reservation(self, one: int, _: int) -> None:
        if self.reservations:
            del self.reservations[one % len(self.reservations)]
            self._happened(BreakCause.ADMIN_CHANGE)

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
        self._happened(BreakCause.ADMIN_CHANGE)

    def _lose_device(self, one: int, _: int) -> None:
        self.lost.add(DEVICES[one % len(DEVICES)].id)
        self._happened(BreakCause.DEVICE_UNAVAILABLE)

    def _return_device(self, one: int, _: int) -> None:
        self.lost.discard(self._pick(sorted(self.lost), one) or "")

    def _drain_node(self, one: int, _: int) -> None:
        self.machines.drain(one, self.now)
        self._happened(BreakCause.NODE_UNAVAILABLE)

    def _undrain_node(self, one: int, _: int) -> None:
        self.machines.undrain(one, self.now)

    def _fail_node(self, one: int, other: int) -> None:
        self.machines.fail(one, other, self.now)
        self._happened(BreakCause.NODE_UNAVAILABLE)

    def _return_node(self, one: int, _: int) -> None:
        self.machines.give_back(one, self.now)

    def _overrun(self, one: int, other: int) -> None:
        if held := self._pick(list(self.leases), one):
            self.stuck.add(held)
            self._happened(BreakCause.OVERRUN)
            self._wait(other // 2, 0)

    def _settle(self, one: int, _: int) -> None:
        self.stuck.discard(self._pick(sorted(self.stuck), one) or "")

    def _outage(self, one: int, other: int) -> None:
        self.now += (one * 12 + other) * MINUTE
        self.world = replace(self.world, looked_at=None)
        self._happened(BreakCause.POOL_OUTAGE)

    def _clock_back(self, one: int, _: int) -> None:
        self.now -= one * 10 * MINUTE
        self._happened(BreakCause.POOL_OUTAGE)

    def _clock_forward(self, one: int, other: int) -> None:
        """The clock jumps while the pool runs: it has looked just before, and is late all the same."""
        self.now += (one * 12 + other) * MINUTE
        self._happened(BreakCause.POOL_OUTAGE)

    def _restart(self, *_: int) -> None:
        """The pool starts again at once, and knows what is stored."""
        if self.started:
            self.planner = self.started()

    def _grant_first(self, one: int, _: int) -> None:
        """An admin lets somebody start at once, whatever that breaks."""
        name = self._pick(self._queued(ready=True), one)
        found = grant_first(self.as_stored(), self.tickets[name], self.now) if name else None
        if found:
            lease = found.lease
            grant = Grant(lease.ticket, lease.devices, lease.starts, lease.ends)
            self.let_start(grant)
            self._drop_slot(lease.ticket)
            self._happened(BreakCause.ADMIN_CHANGE)

    def _lower_limits(self, one: int, _: int) -> None:
        self.most = max(self.most - one % 2, 1)
        self._happened(BreakCause.ADMIN_CHANGE)

    def _lower_shares(self, one: int, other: int) -> None:
        name = ("vision", "speech")[one % 2]
        self.shares[name] = (max(self.shares[name][0] - other % 2, 1), max(self.shares[name][1] - other % 3, 0))
        self._happened(BreakCause.ADMIN_CHANGE)

    def _raise_shares(self, one: int, other: int) -> None:
        name = ("vision", "speech")[one % 2]
        own, more = self.shares[name]
        self.shares[name] = (min(own + 1 + other % 2, 5), more)
        self._happened(BreakCause.ADMIN_CHANGE)  # what it does not lend is more, too

    def _queued(self, ready: bool) -> list[str]:
        return [t.id for t in self.tickets.values() if t.state is State.QUEUED and t.ready is ready]

    @staticmethod
    def _pick(names: list[str], number: int) -> str | None:
        return names[number % len(names)] if names else None
