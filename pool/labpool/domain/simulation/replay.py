"""A trace played through a policy: requests come, runs end, and the policy decides after each, as the pool does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from heapq import heappop, heappush

from labpool.domain.catalogue import Catalogue, Profile
from labpool.domain.decision import PUNCTUAL
from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease, Slot
from labpool.domain.plans import BrokenPromise, Grant, Plan, Taken
from labpool.domain.reasons import Refusal, RefusalReason
from labpool.domain.requests import Request, check_request
from labpool.domain.simulation.policies import Policy
from labpool.domain.simulation.trace import Arrival
from labpool.domain.tickets import Event, State, Ticket
from labpool.domain.usage import Usage
from labpool.domain.world import World

BEGINNING = datetime(2000, 1, 3, tzinfo=timezone.utc)
"""Second 0 of every trace: midnight before a Monday."""

_SHORTEST = timedelta(microseconds=1)


class NeverStarted(RuntimeError):
    """A policy left tickets waiting in a pool where nothing runs any more."""


@dataclass(frozen=True, slots=True)
class Run:
    """One stay of a request that was let in; one whose devices were taken back has several, each an attempt.

    `asked_s` is when the request came, or came back in line. `promised_s` is the latest start it was told; None without
    a promise. All times in seconds since the trace's beginning; `end_s - start_s` is what it really used.
    """

    ticket: str
    arrival: Arrival
    devices: tuple[str, ...]
    asked_s: float
    start_s: float
    end_s: float
    promised_s: float | None = None
    attempt: int = 1

    @property
    def wait_s(self) -> float:
        """Seconds from asking to starting."""
        return self.start_s - self.asked_s

    @property
    def ran_s(self) -> float:
        """Seconds from the start to the end."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that made no ticket."""

    arrival: Arrival
    reason: RefusalReason


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that happened. `runs` stand in the order of the grants; `from_s` to `until_s` is when requests came.

    `devices` counts what could be granted, over all flavours. `grace_s`: a start so long after the promise counts as
    kept, since the pool does not look round all the time.
    """

    runs: tuple[Run, ...]
    refused: tuple[Refused, ...]
    broken: tuple[BrokenPromise, ...]
    devices: int
    from_s: float
    until_s: float
    grace_s: float


def replay(
    arrivals: Sequence[Arrival],
    inventory: Inventory,
    catalogue: Catalogue,
    policy: Policy,
    on_progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Play `arrivals` (in order of submission, at least one) through `policy`.

    Everybody in the trace counts as a member of the project named there and may ask for any number of hours; limits of
    groups hold for nobody, for a trace knows no groups. All other rules are those of `catalogue`, the number of tickets
    that one user may have waiting included. `on_progress` is called with the number of requests that are over.

    Raises:
        NeverStarted: the policy forgot somebody.
    """
    return _Replay(arrivals, inventory, opened(catalogue, arrivals), policy, on_progress).run()


def opened(catalogue: Catalogue, arrivals: Sequence[Arrival]) -> Catalogue:
    """The rules with every project open to everybody, and a profile for each flavour and size that is asked for."""
    longest = timedelta(seconds=max(arrival.wall_s for arrival in arrivals))
    asked = {(arrival.flavour, arrival.gpus) for arrival in arrivals if arrival.flavour in catalogue.flavours}
    names = {(flavour, gpus): _profile_name(flavour, gpus) for flavour, gpus in sorted(asked)}
    profiles = {name: Profile(name, name, flavour, gpus, 0, 0, longest) for (flavour, gpus), name in names.items()}
    projects = {
        name: replace(project, everyone=True, profiles=tuple(profiles)) for name, project in catalogue.projects.items()
    }
    queue = replace(catalogue.queue, shortest=_SHORTEST)
    return replace(catalogue, profiles=profiles, projects=projects, queue=queue)


def _profile_name(flavour: str, gpus: int) -> str:
    return f"{gpus} of {flavour}"


@dataclass
class _Replay:
    """The pool at one moment of the trace."""

    arrivals: Sequence[Arrival]
    inventory: Inventory
    catalogue: Catalogue
    policy: Policy
    on_progress: Callable[[int], None] | None
    now: datetime = BEGINNING
    come: int = 0
    asked: dict[str, Arrival] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    slots: tuple[Slot, ...] = ()
    looked_at: datetime | None = None
    wake: datetime | None = None
    usage: Usage = field(init=False)
    left: dict[str, timedelta] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)
    ends: list[tuple[datetime, str]] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    over: int = 0
    refused: list[Refused] = field(default_factory=list)
    broken: list[BrokenPromise] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.usage = Usage(BEGINNING, self.catalogue.queue.half_life)

    def run(self) -> Outcome:
        """Go from one moment at which something happens to the next, until all is over."""
        while (moment := self._next_moment()) is not None:
            self.now = moment
            if self._settle() or self.wake == moment:
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
        ahead = (self._next_submit(), self.ends[0][0] if self.ends else None, self.wake)
        return min((moment for moment in ahead if moment is not None), default=None)

    def _settle(self) -> bool:
        """End the runs whose time has come; whether there were any."""
        before = len(self.leases)
        while self.ends and self.ends[0][0] <= self.now:
            ends, ticket = heappop(self.ends)
            if ticket in self.leases and self._end_of(ticket) == ends:  # else it was taken back meanwhile
                self._end(ticket)
        return len(self.leases) < before

    def _end_of(self, ticket: str) -> datetime:
        """When a lease really ends: with its run, or with its hours."""
        lease = self.leases[ticket]
        return min(lease.starts + self.left[ticket], lease.ends)

    def _end(self, ticket: str) -> None:
        """End a stay; a run whose devices were taken back goes on later where it stopped, having saved its work."""
        lease, asked = self.leases.pop(ticket), self.tickets.pop(ticket)
        self._count(lease)
        name = _run_name(asked)
        self.runs[name] = replace(self.runs[name], end_s=_seconds(self.now))
        self.left[ticket] -= self.now - lease.starts
        if asked.state is State.RECLAIMING and self.left[ticket] > timedelta(0):
            self.tickets[ticket] = asked.requeued(self.now, asked.duration - (self.now - lease.starts))
            self.since[ticket] = self.now
        else:
            self.over += 1

    def _count(self, over: Lease) -> None:
        rate = len(over.devices) * self.catalogue.charge_of(over.flavour)
        self.usage = self.usage.after(over.project, rate, over.starts, self.now)

    def _ask(self, arrival: Arrival) -> None:
        name = f"t{self.come:07}"
        wall = timedelta(seconds=arrival.wall_s)
        profile = _profile_name(arrival.flavour, arrival.gpus)
        request = Request(arrival.user, frozenset(), name, arrival.project, profile, max(wall, _SHORTEST))
        answer = check_request(request, self.catalogue, self.inventory, tuple(self.tickets.values()))
        if isinstance(answer, Refusal):
            self.refused.append(Refused(arrival, answer.reason))
            return
        asked = (arrival.project, profile, answer.flavour, answer.gpus, request.duration, self.now)
        self.asked[name], self.since[name] = arrival, self.now
        self.left[name] = timedelta(seconds=arrival.run_s)
        self.tickets[name] = Ticket(name, arrival.user, request.groups, name, *asked)
        self._decide()

    def _decide(self) -> None:
        """Let the policy decide and do as it says."""
        tickets, leases = tuple(self.tickets.values()), tuple(self.leases.values())
        world = World(self.inventory, self.catalogue, tickets, leases, self.slots, self.looked_at, self.usage)
        decided = self.policy(world, self.now)
        self._tell(decided)
        for grant in decided.grants:
            self._grant(grant)
        for taken in decided.taken:
            self._take_back(taken)
        self.slots, self.looked_at, self.wake = decided.slots, self.now, decided.looks_at

    def _tell(self, decided: Plan) -> None:
        self.broken += decided.broken
        for ticket, promise in decided.promises.items():
            self.tickets[ticket] = replace(self.tickets[ticket], starts_by=promise)

    def _grant(self, grant: Grant) -> None:
        ticket = self.tickets[grant.ticket]
        self.tickets[ticket.id] = ticket.after(Event.GRANT, self.now).after(Event.FIRST_USE, self.now)
        who = (ticket.id, ticket.user, ticket.name, ticket.project, ticket.flavour)
        self.leases[ticket.id] = Lease(*who, grant.devices, grant.starts, grant.ends)
        ends = self._end_of(ticket.id)
        heappush(self.ends, (ends, ticket.id))
        promised = _seconds(ticket.starts_by) if ticket.starts_by else None
        times = (_seconds(self.since[ticket.id]), _seconds(grant.starts), _seconds(ends), promised)
        arrival = self.asked[ticket.id]
        self.runs[_run_name(ticket)] = Run(ticket.id, arrival, grant.devices, *times, ticket.attempt)

    def _take_back(self, taken: Taken) -> None:
        self.leases[taken.ticket] = replace(self.leases[taken.ticket], ends=taken.ends)
        self.tickets[taken.ticket] = self.tickets[taken.ticket].after(Event.RECLAIM, self.now)
        heappush(self.ends, (self._end_of(taken.ticket), taken.ticket))

    def _outcome(self) -> Outcome:
        return Outcome(
            tuple(self.runs.values()),
            tuple(self.refused),
            tuple(self.broken),
            devices=len(self.inventory.devices) - len(self.inventory.withheld),
            from_s=self.arrivals[0].submit_s,
            until_s=self.arrivals[-1].submit_s,
            grace_s=max(self.catalogue.queue.turnover, PUNCTUAL).total_seconds(),
        )


def _run_name(ticket: Ticket) -> str:
    return f"{ticket.id}/{ticket.attempt}"


def _moment(second: float) -> datetime:
    return BEGINNING + timedelta(seconds=second)


def _seconds(moment: datetime) -> float:
    return (moment - BEGINNING).total_seconds()
