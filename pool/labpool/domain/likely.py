"""When tickets will likely start: the queue played forward with the run lengths that were observed.

An estimate, and no promise: it takes runs for as long as they likely last, deals out what frees as the planner does,
and looks at devices, limits and shares, but not at what is kept for somebody until a promised time. Smith, Taylor and
Foster, "Using run-time predictions to estimate queue wait times", JSSPP 1999.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from heapq import heappop, heappush, merge
from itertools import count, islice
from random import Random

from labpool.domain.budgets import Account, Accounts
from labpool.domain.leases import Lease
from labpool.domain.needs import Cap, Key, Needs
from labpool.domain.run_lengths import RunLengths
from labpool.domain.taking_back import borrowed
from labpool.domain.tickets import State, Ticket
from labpool.domain.timeline import FOREVER
from labpool.domain.usage import booked_hours
from labpool.domain.world import World

_MOST_EVENTS = 200
_MOST_WAITING = 100
"""So far ahead an estimate looks; behind that it would say little, and cost much."""
_TIMES = 9
"""How often the queue is played, each time with other lengths; the median is told."""


def likely_starts(world: World, lengths: RunLengths, flavour: str, now: datetime, seed: int = 0) -> dict[str, datetime]:
    """When the tickets in line for a flavour likely start; who would start too far ahead to tell is left out.

    No estimate is later than a place that a ticket holds, nor than what is borrowed could be taken back for it. Where
    an engine decides that has a queue of its own, its order counts. Another `seed` draws other lengths.
    """
    scene = _Scene(world, lengths, flavour, now)
    forecast = _Forecast if world.verdicts is None else _ForecastOfQueues
    chances = [Random(seed * _TIMES + number) for number in range(_TIMES)]  # noqa: S311 (no secret)
    played = [forecast(scene, chance).play() for chance in chances]
    found = {ticket.id: _median([each.get(ticket.id, FOREVER) for each in played]) for ticket in world.line()}
    found = {name: at for name, at in found.items() if at < FOREVER}
    for ticket, latest in _latest(world, flavour, now):
        if found.get(ticket, latest) >= latest:
            found[ticket] = latest
    return found


def _latest(world: World, flavour: str, now: datetime) -> Iterator[tuple[str, datetime]]:
    """Until when tickets with a place start at the latest: by their place, or by what is taken back for them."""
    rules, slots = world.catalogue.queue, {slot.ticket: slot.start for slot in world.slots}
    lent = sum(len(lease.devices) for lease in borrowed(world, world.counted, flavour, now))
    for ticket in world.line():
        if ticket.flavour != flavour or ticket.id not in slots:
            continue
        own = world.own(ticket.project, flavour, now)
        held = sum(len(x.devices) for x in world.counted if (x.project, x.flavour) == (ticket.project, flavour))
        latest = slots[ticket.id]
        if held + ticket.gpus <= own and ticket.gpus <= lent:
            asks_at = max(ticket.in_line_since + rules.wait_before_taking, now)
            latest = min(latest, asks_at + rules.grace + rules.turnover)
        yield ticket.id, latest


def _median(times: list[datetime]) -> datetime:
    return sorted(times)[len(times) // 2]


class _Paid:
    """Budgets as they are, what is only planned left aside. Of who waits for one no estimate is made."""

    def __init__(self, world: World, now: datetime) -> None:
        self._rules, self._now = world.catalogue, now
        self._accounts = Accounts(world.catalogue.budgets(), world.spent)
        self._booked: Counter[Account] = Counter()
        for lease in world.counted:
            self._booked.update(dict(self._accounts.costs(lease.project, lease.rate, lease.starts, lease.ends)))

    def for_now(self, ticket: Ticket) -> bool:
        """Whether its project could pay for a ticket that started now."""
        rate = self._rules.rate(ticket.flavour, ticket.gpus)
        now, booked = self._now, self._booked
        return self._accounts.affordable_from(booked, ticket.project, rate, now, ticket.duration) == now


_InLane = tuple[timedelta, int, Ticket]
"""A ticket that waits: its size, its position in line, which no other has, and itself."""

_InTurn = tuple[int, float, timedelta, int, Ticket]
"""The same behind the rank of its class and what its project used per weight."""


def _lanes(waiting: list[Ticket]) -> dict[tuple[int, str], list[_InLane]]:
    """Those of one class and project, who never overtake each other by what is used: smallest first."""
    lanes: defaultdict[tuple[int, str], list[_InLane]] = defaultdict(list)
    for position, ticket in enumerate(waiting):
        lanes[ticket.priority.rank, ticket.project].append((ticket.gpus * ticket.duration, position, ticket))
    return {key: sorted(lane) for key, lane in lanes.items()}


def _keyed(rank: int, used: float, lane: list[_InLane]) -> Iterator[_InTurn]:
    return ((rank, used, *each) for each in lane)


def _amounts(caps: Iterable[Cap]) -> tuple[tuple[Key, int], ...]:
    return tuple((cap.key, cap.amount) for cap in caps if cap.key[0] != "server")


class _Scene:
    """What each play of one flavour begins with."""

    def __init__(self, world: World, lengths: RunLengths, flavour: str, now: datetime) -> None:
        self.world, self.lengths, self.now = world, lengths, now
        self.usable = world.usable_devices(flavour)
        self.node_of = {device: node for node, devices in self.usable.items() for device in devices}
        self.tickets = {ticket.id: ticket for ticket in world.tickets}
        needs = Needs(world)
        paid = _Paid(world, now)
        line = (ticket for ticket in world.line() if ticket.flavour == flavour and paid.for_now(ticket))
        self.waiting = list(islice(line, _MOST_WAITING))
        self.caps = {ticket.id: needs.of(ticket).caps for ticket in self.waiting}
        self.amounts = {name: _amounts(caps) for name, caps in self.caps.items()}
        self.lanes = _lanes(self.waiting)
        self.weights = {project: world.catalogue.weight_of(project) for project in {t.project for t in self.waiting}}

    def likely_end(self, lease: Lease, chance: Random) -> datetime:
        """When a live lease ends in one play. Who is told to go mostly stays to the end."""
        ticket = self.tickets.get(lease.ticket)
        if ticket and ticket.state is State.RECLAIMING:
            return max(lease.ends, self.now)
        asked, used = lease.ends - lease.starts, max(self.now - lease.starts, timedelta(0))
        profile = ticket.profile if ticket else ""
        likely = self.lengths.quantile(chance.random(), lease.user, profile, asked, used)
        return max(min(lease.starts + likely, lease.ends), self.now)


class _Forecast:
    """One flavour of a pool, played forward once."""

    def __init__(self, scene: _Scene, chance: Random) -> None:
        self.scene, self.chance, self.now = scene, chance, scene.now
        self.margin = scene.world.catalogue.queue.turnover
        self.numbers = count()
        self.free = Counter({node: len(devices) for node, devices in scene.usable.items()})
        self.held: Counter[Key] = Counter()
        self.use = {project: scene.world.usage.of(project, self.now) for project in scene.world.catalogue.projects}
        self.ends: list[tuple[datetime, int, tuple[tuple[Key, int], ...], tuple[tuple[str, int], ...]]] = []
        self.lanes = {key: list(lane) for key, lane in scene.lanes.items()}
        for lease in scene.world.counted:
            nodes = Counter(scene.node_of[device] for device in lease.devices if device in scene.node_of)
            held = len(lease.devices)
            amounts = ((("user", lease.user), held), (("project", lease.project, lease.flavour), held))
            self._hold(scene.likely_end(lease, chance), amounts, tuple(nodes.items()))
            self._use(lease.project, lease.flavour, held, lease.ends - lease.starts)

    def play(self) -> dict[str, datetime]:
        """Let runs end one after another, and tickets start on what they leave."""
        found: dict[str, datetime] = {}
        self._start(self.now, found)
        for _ in range(_MOST_EVENTS):
            if len(found) == len(self.scene.waiting) or not self.ends:
                break
            at, _, amounts, nodes = heappop(self.ends)
            for key, amount in amounts:
                self.held[key] -= amount
            for node, devices in nodes:
                self.free[node] += devices
            if not self.ends or self.ends[0][0] > at:
                self._start(max(at + self.margin, self.now), found)
        return found

    def _start(self, at: datetime, found: dict[str, datetime]) -> None:
        """Let start who can, each in turn, until nothing is free."""
        started: list[_InTurn] = []
        turns = self._by_turn()
        while max(self.free.values(), default=0) > 0 and (turn := next(turns, None)):
            *_, ticket = turn
            node = self._node_for(ticket)
            if node is None:
                continue
            found[ticket.id] = at
            started.append(turn)
            length = self.scene.lengths.quantile(self.chance.random(), ticket.user, ticket.profile, ticket.duration)
            self._hold(at + length, self.scene.amounts[ticket.id], ((node, ticket.gpus),))
            self._use(ticket.project, ticket.flavour, ticket.gpus, ticket.duration)
        for _, _, size, position, ticket in started:
            self.lanes[ticket.priority.rank, ticket.project].remove((size, position, ticket))

    def _by_turn(self) -> Iterator[_InTurn]:
        """Who waits, by class, use of the project and size, as things stand now; worked out only as far as asked."""
        weights = self.scene.weights
        lanes = (
            _keyed(rank, self.use.get(project, 0.0) / weights[project], lane)
            for (rank, project), lane in self.lanes.items()
        )
        return merge(*lanes)

    def _node_for(self, ticket: Ticket) -> str | None:
        """The node with the fewest free devices that are enough, where every cap leaves room; else None."""
        fitting = [(free, node) for node, free in self.free.items() if free >= ticket.gpus]
        if not fitting:
            return None
        caps = self.scene.caps[ticket.id]
        return min(fitting)[1] if all(self.held[cap.key] + cap.amount <= cap.most for cap in caps) else None

    def _hold(self, until: datetime, amounts: tuple[tuple[Key, int], ...], nodes: tuple[tuple[str, int], ...]) -> None:
        for key, amount in amounts:
            self.held[key] += amount
        for node, devices in nodes:
            self.free[node] -= devices
        heappush(self.ends, (until, next(self.numbers), amounts, nodes))

    def _use(self, project: str, flavour: str, devices: int, duration: timedelta) -> None:
        hours = booked_hours(devices, self.scene.world.catalogue.charge_of(flavour), duration)
        self.use[project] = self.use.get(project, 0.0) + hours


class _ForecastOfQueues(_Forecast):
    """The same where each project has a line of its own, as in Kueue, and nobody passes who finds no room.

    Of the first ones of all lines, who stays inside their project's own devices goes before who borrows, then the
    higher class, then who came first. Who may not start by the pool's own rules holds nobody up; who finds no room
    holds up the project's line, but where the engine lets others pass.
    """

    def __init__(self, scene: _Scene, chance: Random) -> None:
        super().__init__(scene, chance)
        self.lines: defaultdict[str, list[Ticket]] = defaultdict(list)
        for ticket in sorted(scene.waiting, key=self._standing):
            self.lines[ticket.project].append(ticket)
        self.may_pass = scene.world.verdicts is not None and scene.world.verdicts.may_pass

    def _start(self, at: datetime, found: dict[str, datetime]) -> None:
        lines = {project: deque(line) for project, line in self.lines.items()}
        while firsts := [first for line in lines.values() if (first := self._first_of(line))]:
            ticket = min(firsts, key=self._turn)
            node = self._node_for(ticket)
            lines[ticket.project].popleft()
            if node is None:
                if not self.may_pass:
                    lines[ticket.project].clear()
                continue
            found[ticket.id] = at
            self.lines[ticket.project].remove(ticket)
            length = self.scene.lengths.quantile(self.chance.random(), ticket.user, ticket.profile, ticket.duration)
            self._hold(at + length, self.scene.amounts[ticket.id], ((node, ticket.gpus),))

    def _first_of(self, line: deque[Ticket]) -> Ticket | None:
        """The first who may start by the pool's own rules; before the next release nobody does who may not now."""
        while line and not self._is_within_limit(line[0]):
            line.popleft()
        return line[0] if line else None

    def _is_within_limit(self, ticket: Ticket) -> bool:
        caps = (cap for cap in self.scene.caps[ticket.id] if cap.key[0] == "user")
        return all(self.held[cap.key] + cap.amount <= cap.most for cap in caps)

    def _turn(self, ticket: Ticket) -> tuple[bool, int, datetime, str]:
        own = self.scene.world.catalogue.nominal(ticket.project, ticket.flavour)
        borrows = self.held["project", ticket.project, ticket.flavour] + ticket.gpus > own
        return borrows, ticket.priority.rank, ticket.in_line_since, ticket.id

    def _standing(self, ticket: Ticket) -> tuple[int, int, datetime, str]:
        verdicts = self.scene.world.verdicts
        verdict = verdicts.of.get(ticket.id) if verdicts else None
        place = verdict.place if verdict and verdict.place is not None else _MOST_WAITING
        return place, ticket.priority.rank, ticket.in_line_since, ticket.id
