"""A queue played forward once: runs end when they likely do, and what they leave is dealt out as the planner does.

It looks at devices, limits, shares and the places that are kept for those in line, but at no reservation.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from heapq import heappop, heappush, merge
from itertools import count, islice
from random import Random
from typing import NamedTuple

from labpool.domain.budgets import Account, Accounts
from labpool.domain.kept_places import KeptPlaces
from labpool.domain.leases import Lease
from labpool.domain.needs import Cap, Key, Needs
from labpool.domain.run_lengths import RunLengths
from labpool.domain.tickets import State, Ticket
from labpool.domain.usage import booked_hours
from labpool.domain.world import World

_MOST_EVENTS = 200
_MOST_WAITING = 100
"""So far ahead an estimate looks; behind that it would say little, and cost much."""


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


class Scene:
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
        self.places = [(slot, self.tickets[slot.ticket]) for slot in world.slots if slot.ticket in self.caps]
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


class _End(NamedTuple):
    """A run's likely end, a number that no other has, what it gives back, and the end of the hours asked for."""

    at: datetime
    number: int
    amounts: tuple[tuple[Key, int], ...]
    nodes: tuple[tuple[str, int], ...]
    asked: datetime


class Forecast:
    """One flavour of a pool, played forward once."""

    def __init__(self, scene: Scene, chance: Random) -> None:
        self.scene, self.chance, self.now = scene, chance, scene.now
        self.margin = scene.world.catalogue.queue.turnover
        self.numbers = count()
        self.free = Counter({node: len(devices) for node, devices in scene.usable.items()})
        self.held: Counter[Key] = Counter()
        self.use = {project: scene.world.usage.of(project, self.now) for project in scene.world.catalogue.projects}
        self.ends: list[_End] = []
        self.kept = KeptPlaces(scene.places, dict(self.free), self.margin)
        self.lanes = {key: list(lane) for key, lane in scene.lanes.items()}
        for lease in scene.world.counted:
            nodes = Counter(scene.node_of[device] for device in lease.devices if device in scene.node_of)
            held = len(lease.devices)
            amounts = ((("user", lease.user), held), (("project", lease.project, lease.flavour), held))
            likely, asked = scene.likely_end(lease, chance), max(lease.ends, self.now)
            self._hold(_End(likely, next(self.numbers), amounts, tuple(nodes.items()), asked), self.now)
            self._use(lease.project, lease.flavour, held, lease.ends - lease.starts)

    def play(self) -> dict[str, datetime]:
        """Let runs end one after another, and tickets start on what they leave."""
        found: dict[str, datetime] = {}
        self._start(self.now, found)
        for _ in range(_MOST_EVENTS):
            if len(found) == len(self.scene.waiting) or not self.ends:
                break
            ended = heappop(self.ends)
            for key, amount in ended.amounts:
                self.held[key] -= amount
            for node, devices in ended.nodes:
                self.free[node] += devices
                self.kept.take(node, ended.at, ended.asked, -devices)
            if not self.ends or self.ends[0].at > ended.at:
                self._start(max(ended.at + self.margin, self.now), found)
        return found

    def _start(self, at: datetime, found: dict[str, datetime]) -> None:
        """Let start who can, each in turn, until nothing is free."""
        started: list[_InTurn] = []
        turns = self._by_turn()
        while max(self.free.values(), default=0) > 0 and (turn := next(turns, None)):
            *_, ticket = turn
            node = self._node_for(ticket, at)
            if node is None:
                continue
            found[ticket.id] = at
            started.append(turn)
            self._run(ticket, node, at)
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

    def _node_for(self, ticket: Ticket, at: datetime) -> str | None:
        """The node with the fewest free devices that are enough, where all caps and places leave room; else None."""
        fitting = [(free, node) for node, free in self.free.items() if free >= ticket.gpus]
        caps = self.scene.caps[ticket.id]
        if not fitting or any(self.held[cap.key] + cap.amount > cap.most for cap in caps):
            return None
        return next((node for _, node in sorted(fitting) if self.kept.allow(ticket, node, at)), None)

    def _run(self, ticket: Ticket, node: str, at: datetime) -> None:
        """Let a ticket start there and then, and leave its place."""
        self.kept.leave(ticket.id)
        length = self.scene.lengths.quantile(self.chance.random(), ticket.user, ticket.profile, ticket.duration)
        amounts, nodes = self.scene.amounts[ticket.id], ((node, ticket.gpus),)
        self._hold(_End(at + length, next(self.numbers), amounts, nodes, at + ticket.duration), at)

    def _hold(self, end: _End, start: datetime) -> None:
        for key, amount in end.amounts:
            self.held[key] += amount
        for node, devices in end.nodes:
            self.free[node] -= devices
            self.kept.take(node, start, end.asked, devices)
        heappush(self.ends, end)

    def _use(self, project: str, flavour: str, devices: int, duration: timedelta) -> None:
        hours = booked_hours(devices, self.scene.world.catalogue.charge_of(flavour), duration)
        self.use[project] = self.use.get(project, 0.0) + hours


class ForecastOfQueues(Forecast):
    """The same where each project has a line of its own, as in Kueue, and nobody passes who finds no room.

    Of the first ones of all lines, who stays inside their project's own devices goes before who borrows, then the
    higher class, then who came first. Who may not start by the pool's own rules holds nobody up; who finds no room
    holds up the project's line, but where the engine lets others pass.
    """

    def __init__(self, scene: Scene, chance: Random) -> None:
        super().__init__(scene, chance)
        self.lines: defaultdict[str, list[Ticket]] = defaultdict(list)
        for ticket in sorted(scene.waiting, key=self._standing):
            self.lines[ticket.project].append(ticket)
        self.may_pass = scene.world.verdicts is not None and scene.world.verdicts.may_pass

    def _start(self, at: datetime, found: dict[str, datetime]) -> None:
        lines = {project: deque(line) for project, line in self.lines.items()}
        while firsts := [first for line in lines.values() if (first := self._first_of(line))]:
            ticket = min(firsts, key=self._turn)
            node = self._node_for(ticket, at)
            lines[ticket.project].popleft()
            if node is None:
                if not self.may_pass:
                    lines[ticket.project].clear()
                continue
            found[ticket.id] = at
            self.lines[ticket.project].remove(ticket)
            self._run(ticket, node, at)

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
