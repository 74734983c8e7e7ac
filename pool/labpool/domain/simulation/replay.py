"""A trace played through a policy: requests come, runs end, and the policy decides after each, as the pool does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from heapq import heappop, heappush

from labpool.domain.budgets import Spent
from labpool.domain.catalogue import Catalogue
from labpool.domain.ends import stop_at
from labpool.domain.fallbacks import has_fallback
from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease, Slot
from labpool.domain.plans import BrokenPromise, Grant, Plan, Taken
from labpool.domain.reasons import Refusal
from labpool.domain.requests import Request, check_request
from labpool.domain.simulation.estimating import Estimates, Estimating
from labpool.domain.simulation.opened import SHORTEST, opened, profile_of
from labpool.domain.simulation.outcome import Outcome, Refused, Run
from labpool.domain.simulation.policies import Policy
from labpool.domain.simulation.trace import Arrival
from labpool.domain.tickets import Event, State, Ticket
from labpool.domain.usage import Usage
from labpool.domain.world import World

BEGINNING = datetime(2000, 1, 3, tzinfo=timezone.utc)
"""Second 0 of every trace: midnight before a Monday."""

_IDLE = 100
"""So often a policy is asked again about an idle pool, at the renewals of budgets."""


class NeverStarted(RuntimeError):
    """A policy left tickets waiting in a pool where nothing runs any more."""


def replay(
    arrivals: Sequence[Arrival],
    inventory: Inventory,
    catalogue: Catalogue,
    policy: Policy,
    on_progress: Callable[[int], None] | None = None,
    estimating: Estimating | None = None,
) -> Outcome:
    """Play `arrivals` (in order of submission, at least one) through `policy`.

    Everybody in the trace counts as a member of the project named there and may ask for any number of hours; limits of
    groups hold for nobody, for a trace knows no groups. All other rules are those of `catalogue`, the number of tickets
    that one user may have waiting included. `on_progress` is called with the number of requests that are over.
    `estimating` says how starts are estimated; it changes none.

    Raises:
        NeverStarted: the policy forgot somebody.
    """
    rules = opened(catalogue, arrivals)
    return _Replay(
        arrivals, inventory, rules, catalogue.queue.shortest, policy, on_progress, estimating or Estimating()
    ).run()


@dataclass
class _Replay:
    """The pool at one moment of the trace."""

    arrivals: Sequence[Arrival]
    inventory: Inventory
    catalogue: Catalogue
    shortest: timedelta
    policy: Policy
    on_progress: Callable[[int], None] | None
    estimating: Estimating
    now: datetime = BEGINNING
    come: int = 0
    asked: dict[str, Arrival] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    slots: tuple[Slot, ...] = ()
    looked_at: datetime | None = None
    wake: datetime | None = None
    usage: Usage = field(init=False)
    spent: Spent = field(default_factory=Spent)
    left: dict[str, timedelta] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)
    ends: list[tuple[datetime, str]] = field(default_factory=list)
    leaves: list[tuple[datetime, str]] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    over: int = 0
    estimates: Estimates = field(init=False)
    refused: list[Refused] = field(default_factory=list)
    left_line: list[Arrival] = field(default_factory=list)
    broken: list[BrokenPromise] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.usage = Usage(BEGINNING, self.catalogue.queue.half_life)
        self.estimates = Estimates(self.estimating, len(self.arrivals))

    def run(self) -> Outcome:
        """Go from one moment at which something happens to the next, until all is over."""
        idle = 0
        while (moment := self._next_moment()) is not None and idle < _IDLE:
            self.now = moment
            idle = 0 if self.leases or self.come < len(self.arrivals) else idle + 1
            settled, left = self._settle(), self._let_leave()
            if settled or left or self.wake == moment:
                self._decide()
            while self._next_submit() == moment:
                self._ask(self.arrivals[self.come])
                self.come += 1
            if self.on_progress:
                self.on_progress(len(self.refused) + self.over)
        if self.tickets:
            raise NeverStarted(
                f"{len(self.tickets)} tickets wait in an idle pool, {next(iter(self.tickets))} first. "
                "Expected a policy that starts everybody in the end; this one is faulty."
            )
        return self._outcome()

    def _next_submit(self) -> datetime | None:
        return _moment(self.arrivals[self.come].submit_s) if self.come < len(self.arrivals) else None

    def _next_moment(self) -> datetime | None:
        heads = (heap[0][0] for heap in (self.ends, self.leaves) if heap)
        ahead = (self._next_submit(), *heads, self.wake)
        return min((moment for moment in ahead if moment is not None), default=None)

    def _settle(self) -> bool:
        """End the runs whose time has come; whether there were any."""
        before = len(self.leases)
        while self.ends and self.ends[0][0] <= self.now:
            ends, ticket = heappop(self.ends)
            if ticket in self.leases and self._end_of(ticket) == ends:  # else it was taken back meanwhile
                self._end(ticket)
        return len(self.leases) < before

    def _let_leave(self) -> bool:
        """Let those leave the line whose time for that has come, if they still wait; whether there were any."""
        before = len(self.left_line)
        while self.leaves and self.leaves[0][0] <= self.now:
            _, name = heappop(self.leaves)
            if name in self.tickets and name not in self.leases:
                del self.tickets[name]
                self.left_line.append(self.asked[name])
                self.over += 1
        return len(self.left_line) > before

    def _end_of(self, ticket: str) -> datetime:
        """When a lease really ends: with its run, or with its hours; one that goes back as soon as it is told to."""
        lease = self.leases[ticket]
        done = lease.starts + self.left[ticket]
        goes_back = self.tickets[ticket].state is State.RECLAIMING and done > lease.ends
        ends = stop_at(lease, self.catalogue.queue) if goes_back else min(done, lease.ends)
        submit = _moment(self.asked[ticket].submit_s)
        recorded = (submit + timedelta(seconds=end) for end in self.asked[ticket].ends_s)
        near = [end for end in recorded if end >= lease.starts and abs(end - ends) <= self._grace]
        return min(near, key=lambda end: abs(end - ends), default=ends)

    def _end(self, ticket: str) -> None:
        """End a stay; a run whose devices were taken back goes on later where it stopped, having saved its work."""
        lease, asked = self.leases.pop(ticket), self.tickets.pop(ticket)
        self._count(lease)
        name = _run_name(asked)
        self.runs[name] = replace(self.runs[name], end_s=_seconds(self.now))
        taken, given = asked.state is State.RECLAIMING, lease.ends - lease.starts
        if not taken:
            self.estimates.observe(asked, self.now - lease.starts)
        if taken and self._goes_on(ticket, given) and asked.duration - given >= self.shortest:
            self.left[ticket] -= given  # as the pool counts; in the last minute the server saved and stopped
            falls_back = has_fallback(asked, self.slots, self.catalogue, self.now)
            self.tickets[ticket] = asked.requeued(self.now, asked.duration - given, falls_back)
            if not falls_back:
                self.slots = tuple(slot for slot in self.slots if slot.ticket != ticket)
            self.since[ticket] = self.now
        else:
            self.over += 1

    def _goes_on(self, ticket: str, given: timedelta) -> bool:
        """Whether a run that used `given` has more to do. The pool may have taken back later what really ended now."""
        left, asked = self.left[ticket] - given, self.asked[ticket]
        last = [_moment(asked.submit_s) + timedelta(seconds=end) for end in asked.ends_s[-1:]]
        return left > (self._grace if last == [self.now] else timedelta(0))

    @property
    def _grace(self) -> timedelta:
        """What the pool may be late by, as it does not look round all the time."""
        return self.catalogue.queue.lateness

    def _count(self, over: Lease) -> None:
        self.usage = self.usage.after(over.project, len(over.devices) * over.charge, over.starts, self.now)
        budget = self.catalogue.budgets().get(over.project)
        if budget:
            self.spent = self.spent.with_run(budget, over.project, over.rate, over.starts, self.now)

    def _ask(self, arrival: Arrival) -> None:
        name = f"t{self.come + 1:07}"
        wall = timedelta(seconds=arrival.wall_s)
        profile = profile_of(arrival, self.catalogue)
        request = Request(arrival.user, frozenset(), name, arrival.project, profile, max(wall, SHORTEST))
        answer = check_request(request, self.catalogue, self.inventory, tuple(self.tickets.values()))
        if isinstance(answer, Refusal):
            self.refused.append(Refused(arrival, answer.reason))
            return
        asked = (arrival.project, profile, answer.flavour, answer.gpus, request.duration, self.now)
        self.asked[name], self.since[name] = arrival, self.now
        self.left[name] = timedelta(seconds=arrival.run_s)
        self.tickets[name] = Ticket(name, arrival.user, request.groups, name, *asked, priority=arrival.priority)
        if arrival.cancel_s is not None:
            heappush(self.leaves, (self.now + timedelta(seconds=arrival.cancel_s), name))
        self._decide()
        if name not in self.leases:
            self.estimates.must_wait(self.tickets[name], self._world, self.now)

    def _world(self) -> World:
        tickets, leases = tuple(self.tickets.values()), tuple(self.leases.values())
        kept = (self.slots, self.looked_at, self.usage)
        return World(self.inventory, self.catalogue, tickets, leases, *kept, spent=self.spent)

    def _decide(self) -> None:
        """Let the policy decide and do as it says."""
        decided = self.policy(self._world(), self.now)
        self._tell(decided)
        for grant in decided.grants:
            self._grant(grant)
        for taken in decided.taken:
            self._take_back(taken)
        self.slots, self.looked_at = decided.slots, self.now
        self.wake = min((at for at in (decided.looks_at, self._renewal()) if at), default=None)

    def _renewal(self) -> datetime | None:
        """When a budget begins anew that somebody may wait for: a policy need not think of it."""
        waiting = {ticket.project for ticket in self.tickets.values() if ticket.state is State.QUEUED}
        budgets = self.catalogue.budgets()
        return min((budgets[name].period(self.now).end for name in waiting & budgets.keys()), default=None)

    def _tell(self, decided: Plan) -> None:
        self.broken += decided.broken
        for ticket, promise in decided.promises.items():
            self.tickets[ticket] = replace(self.tickets[ticket], starts_by=promise)

    def _grant(self, grant: Grant) -> None:
        ticket = self.tickets[grant.ticket]
        self.tickets[ticket.id] = ticket.after(Event.GRANT, self.now).after(Event.FIRST_USE, self.now)
        who = (ticket.id, ticket.user, ticket.name, ticket.project, ticket.flavour)
        self.leases[ticket.id] = Lease(
            *who, grant.devices, grant.starts, grant.ends, charge=self.catalogue.charge_of(ticket.flavour)
        )
        ends = self._end_of(ticket.id)
        heappush(self.ends, (ends, ticket.id))
        promised = _seconds(ticket.starts_by) if ticket.starts_by else None
        times = (_seconds(self.since[ticket.id]), _seconds(grant.starts), _seconds(ends), promised)
        arrival = self.asked[ticket.id]
        likely, last_waits = self.estimates.of(ticket.id)
        estimates = (_seconds(likely) if likely else None, last_waits)
        run = Run(ticket.id, arrival, grant.devices, *times, ticket.attempt, *estimates)
        self.runs[_run_name(ticket)] = run
        if ticket.attempt == 1:
            self.estimates.has_waited(ticket, run.wait_s)

    def _take_back(self, taken: Taken) -> None:
        self.leases[taken.ticket] = replace(self.leases[taken.ticket], ends=taken.ends)
        self.tickets[taken.ticket] = self.tickets[taken.ticket].after(Event.RECLAIM, self.now)
        heappush(self.ends, (self._end_of(taken.ticket), taken.ticket))

    def _outcome(self) -> Outcome:
        withheld = dict(self.inventory.withheld)
        return Outcome(
            tuple(self.runs.values()),
            tuple(self.refused),
            tuple(self.broken),
            devices=Counter(device.flavour for device in self.inventory.devices if device.id not in withheld),
            from_s=self.arrivals[0].submit_s,
            until_s=self.arrivals[-1].submit_s,
            grace_s=self._grace.total_seconds(),
            left_line=tuple(self.left_line),
        )


def _run_name(ticket: Ticket) -> str:
    return f"{ticket.id}/{ticket.attempt}"


def _moment(second: float) -> datetime:
    return BEGINNING + timedelta(seconds=second)


def _seconds(moment: datetime) -> float:
    return (moment - BEGINNING).total_seconds()
