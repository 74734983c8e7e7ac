"""Histories of a small pool: anything may happen to it, and after each decision the invariants are checked.

The pool's own part is done as the service does it: plan, store grants, slots and promises, settle leases at their end.
What goes wrong is put in by name, so that a history knows which causes it has given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import strategies as st
from labpool.domain.catalogue import Catalogue, Flavour, Limits, Project, QueueRules, UserLimit
from labpool.domain.inventory import Device, Inventory
from labpool.domain.leases import Lease
from labpool.domain.plans import BreakCause, Plan
from labpool.domain.tickets import Event, State, Ticket
from labpool.domain.world import World

from tests.domain.lab import HOUR, MINUTE, NINE

Planner = Callable[[World, datetime], Plan]
Step = tuple[str, int, int]

PEACEFUL = ("wait", "ask", "ask", "ask", "stop", "cancel", "unclaimed", "ready", "raise_limits")
TROUBLE = ("lose_device", "return_device", "overrun", "settle", "outage", "clock_back", "lower_limits", "lower_shares")
MARGIN = QueueRules().turnover
_HARDWARE = (("a", "big", 3), ("b", "big", 2), ("b", "slice", 2))
DEVICES = tuple(Device(f"{node}-{kind}-{i}", kind, node, i) for node, kind, many in _HARDWARE for i in range(many))


class InvariantBroken(AssertionError):
    """A decision that the pool must never make; the message names the invariant."""


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
    causes: set[BreakCause] = field(default_factory=set)
    told: dict[str, datetime] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    most: int = 3
    shares: dict[str, tuple[int, int]] = field(default_factory=lambda: {"vision": (2, 1), "speech": (2, 3)})
    asked: int = 0

    def __post_init__(self) -> None:
        self.world = World(Inventory(), self._catalogue())

    def run(self, steps: list[Step]) -> None:
        """Let `steps` happen one after another, the pool deciding after each."""
        for kind, one, other in steps:
            getattr(self, f"_{kind}")(one, other)
            self.look()

    def look(self) -> None:
        """What the pool does each time it looks round: settle, decide, check, store."""
        for ticket in [t for t, held in self.leases.items() if self._settled_at(held) <= self.now]:
            if ticket not in self.stuck:
                self._end(ticket)
        before = self.world = self._as_stored()
        decided = self.planner(before, self.now)
        self._check_grants(before, decided)
        self._check_promises(decided)
        self._check_moves(before, decided)
        self._store(decided)
        self._check_settled()

    def _as_stored(self) -> World:
        withheld = tuple((device, "lost") for device in sorted(self.lost))
        return World(
            Inventory((), DEVICES, withheld),
            self._catalogue(),
            tuple(self.tickets.values()),
            tuple(self.leases.values()),
            self.world.slots,
            self.world.looked_at,
        )

    def _catalogue(self) -> Catalogue:
        flavours = {name: Flavour(name, name) for name in ("big", "slice")}
        projects = {
            name: Project(
                name, name, everyone=True, nominal=dict.fromkeys(flavours, own), borrow=dict.fromkeys(flavours, more)
            )
            for name, (own, more) in self.shares.items()
        }
        return Catalogue(flavours, {}, projects, Limits(UserLimit(self.most, 3, 8)), QueueRules(turnover=MARGIN))

    def _store(self, decided: Plan) -> None:
        for ticket, promise in decided.promises.items():
            self.tickets[ticket] = replace(self.tickets[ticket], starts_by=promise)
        for grant in decided.grants:
            ticket = self.tickets[grant.ticket]
            self.told.pop(ticket.id, None)
            self.tickets[ticket.id] = ticket.after(Event.GRANT, self.now)
            who = (ticket.id, ticket.user, ticket.name, ticket.project, ticket.flavour)
            self.leases[ticket.id] = Lease(*who, grant.devices, grant.starts, grant.ends)
        self.world = replace(self.world, slots=decided.slots, looked_at=self.now)

    # what must always hold

    def _check_grants(self, before: World, decided: Plan) -> None:
        usable = {device.id: device for device in DEVICES if device.id not in self.lost}
        taken = Counter(device for held in before.leases for device in held.devices)
        for grant in decided.grants:
            ticket = self.tickets[grant.ticket]
            nodes = {usable[device].node for device in grant.devices if device in usable}
            fitting = [d for d in grant.devices if d in usable and usable[d].flavour == ticket.flavour]
            _must(len(set(fitting)) == ticket.gpus and len(nodes) == 1, f"{ticket.id} got {grant.devices}")
            _must(ticket.state is State.QUEUED and ticket.ready, f"{ticket.id} was granted out of line")
            _must(grant.ends - grant.starts == ticket.duration, f"{ticket.id} did not get its hours")
            taken.update(grant.devices)
        granted = {device for grant in decided.grants for device in grant.devices}
        _must(all(taken[device] == 1 for device in granted), "1: a device is in two leases")
        self._check_caps(before, decided)

    def _check_caps(self, before: World, decided: Plan) -> None:
        users, projects, servers = Counter[str](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for held in before.leases:
            users[held.user] += len(held.devices)
            projects[held.project, held.flavour] += len(held.devices)
            servers[held.user, held.name] += 1
        for grant in decided.grants:
            ticket = self.tickets[grant.ticket]
            users[ticket.user] += len(grant.devices)
            projects[ticket.project, ticket.flavour] += len(grant.devices)
            servers[ticket.user, ticket.name] += 1
            _must(users[ticket.user] <= self.most, f"2: {ticket.user} is over the limit")
            share = sum(self.shares[ticket.project])
            _must(projects[ticket.project, ticket.flavour] <= share, f"3: {ticket.project} is over its share")
            _must(servers[ticket.user, ticket.name] == 1, f"{ticket.name} of {ticket.user} got two leases")

    def _check_promises(self, decided: Plan) -> None:
        for report in decided.broken:
            _must(report.cause in self.causes, f"6: {report.ticket} broken by {report.cause}, which never happened")
            self.broken.add(report.ticket)
        for ticket in self.tickets.values():
            self._check_number(ticket.id, decided.promises.get(ticket.id, ticket.starts_by))
        starts = {grant.ticket: grant.starts for grant in decided.grants}
        starts |= {slot.ticket: slot.start for slot in decided.slots}
        for ticket_id, promise in self.told.items():
            kept = ticket_id in starts and max(starts[ticket_id], self.now) <= promise + MARGIN
            _must(kept or ticket_id in self.broken, f"6: {ticket_id} waits past its promise, and nobody said so")

    def _check_moves(self, before: World, decided: Plan) -> None:
        stored = {slot.ticket: slot.start for slot in before.slots}
        later = [slot.ticket for slot in decided.slots if slot.start > stored.get(slot.ticket, slot.start)]
        _must(not later or bool(self.causes), f"a slot moved later and nothing happened: {later}")

    def _check_settled(self) -> None:
        """A decision is complete: looking again at the same time finds nothing more to do."""
        again = self.planner(self._as_stored(), self.now)
        _must(not again.grants and not again.broken, "somebody could have started, or was told only now")
        _must(again.slots == self.world.slots, "a second look moves slots that the first could have moved")

    def _settled_at(self, held: Lease) -> datetime:
        return held.ends + self.linger

    def _check_number(self, ticket: str, number: datetime | None) -> None:
        if self.tickets[ticket].state is not State.QUEUED or number is None:
            return
        told = self.told.setdefault(ticket, number)
        _must(number <= told, f"6b: {ticket} was told {told}, and is now told {number}")

    # what may happen

    def _wait(self, one: int, other: int) -> None:
        """Time passes; the pool looks round whenever something begins or ends, a little late."""
        target = self.now + (one * 12 + other) * MINUTE
        while True:
            events = [slot.start for slot in self.world.slots] + [
                self._settled_at(held) for held in self.leases.values()
            ]
            ahead = min((at for at in events if self.now < at <= target), default=None)
            if ahead is None:
                break
            self.now = ahead + self.lateness
            self.look()
        self.now = max(self.now, target)

    def _ask(self, one: int, other: int) -> None:
        self.asked += 1
        gpus, hours = (1, 1, 2, 3)[one % 4], (0.5, 1, 2, 5)[other % 4]
        user, project = f"user{one % 3}", ("vision", "speech")[other % 2]
        flavour = "slice" if gpus < 3 and other > 8 else "big"
        name = f"server{(one + other) % 4}"
        ticket = Ticket(
            f"t{self.asked:03}", user, frozenset(), name, project, "any", flavour, gpus, hours * HOUR, self.now
        )
        self.tickets[ticket.id] = ticket

    def _stop(self, one: int, _: int) -> None:
        if held := self._pick(list(self.leases), one):
            self._end(held)

    def _cancel(self, one: int, _: int) -> None:
        if ticket := self._pick(self._queued(ready=True), one):
            self._forget(ticket)

    def _unclaimed(self, one: int, _: int) -> None:
        if held := self._pick([t for t in self.leases if not self.tickets[t].unclaimed], one):
            del self.leases[held]
            self.stuck.discard(held)
            self.tickets[held] = self.tickets[held].after(Event.UNCLAIMED, self.now)

    def _ready(self, one: int, _: int) -> None:
        if ticket := self._pick(self._queued(ready=False), one):
            self.tickets[ticket] = self.tickets[ticket].said_ready(self.now)

    def _raise_limits(self, one: int, other: int) -> None:
        self.most = min(self.most + one % 2, 5)
        self.shares = {name: (own, min(more + other % 2, 5)) for name, (own, more) in self.shares.items()}

    def _lose_device(self, one: int, _: int) -> None:
        self.lost.add(DEVICES[one % len(DEVICES)].id)
        self.causes.add(BreakCause.DEVICE_UNAVAILABLE)

    def _return_device(self, one: int, _: int) -> None:
        self.lost.discard(self._pick(sorted(self.lost), one) or "")

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
        del self.leases[ticket]
        self._forget(ticket)

    def _forget(self, ticket: str) -> None:
        del self.tickets[ticket]
        self.told.pop(ticket, None)
        self.stuck.discard(ticket)
        self.broken.discard(ticket)

    @staticmethod
    def _pick(names: list[str], number: int) -> str | None:
        return names[number % len(names)] if names else None


def _must(holds: bool, message: str) -> None:
    if not holds:
        raise InvariantBroken(message)
