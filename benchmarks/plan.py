"""How long does the planner take for one decision, with a long queue on a large pool?

1,000 devices of 8 flavours on 125 nodes, all leased; 500 users in 50 projects, each with a monthly budget, who wait
with 100 to 100,000 tickets of 1, 2, 4 and 8 devices, no two alike. Ten reservations keep from tomorrow on a node of
each flavour, of two of them but for a device that is kept for another project wherever it may be. Places are made up
directly, one after another, as a pool that has run for long would have stored them. Measured: a decision on a new
ticket and one on a lease that ends early (99th percentile, the planner knowing the pool already), the first decision of
a pool that was just started, and how each grows with the queue: the exponent e in time ~ tickets^e from 1,000 to
100,000.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import random
import sys
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import count

from labpool.domain.budgets import Budget
from labpool.domain.catalogue import Catalogue, Flavour, Limits, Project, UserLimit
from labpool.domain.inventory import Device, Inventory, Node
from labpool.domain.leases import Lease, Slot
from labpool.domain.planner import Planner
from labpool.domain.plans import Plan
from labpool.domain.reservations import Reservation
from labpool.domain.tickets import Event, State, Ticket
from labpool.domain.world import World

NOW = datetime(2026, 3, 2, 9, tzinfo=timezone.utc)
HOUR, MARGIN = timedelta(hours=1), timedelta(minutes=1)
NODES, ON_NODE, FLAVOURS, PROJECTS, USERS = 125, 8, 8, 50, 500
NOMINAL, BORROW, MOST = 20, 20, 16
ANYWHERE, GPU_HOURS_A_MONTH = 2, 20_000
SIZES = ((1, 0.60), (2, 0.20), (4, 0.15), (8, 0.05))
LENGTHS = (1, 2, 4, 8, 12, 24)
QUEUES = (100, 1_000, 10_000, 100_000)
NEW_TICKET_AIM_S, EARLY_END_AIM_S, COLD_AIM_S, GROWTH_AIM = 0.005, 0.025, 1.0, 1.2


class Pool:
    """The pool as its service keeps it: it changes, and the planner decides."""

    def __init__(self, waiting: int, seed: int, machines: int = NODES) -> None:
        self.chance = random.Random(seed)
        self.now = NOW
        self.numbers = count()
        self.tickets: dict[str, Ticket] = {}
        self.leases: dict[str, Lease] = {}
        self.slots: dict[str, Slot] = {}
        self.lanes: defaultdict[object, list[datetime]] = defaultdict(list)
        nodes = tuple(Node(f"n{i:03}", 64, 512) for i in range(machines))
        self.node_names = {f: [n.name for i, n in enumerate(nodes) if i % FLAVOURS == f] for f in range(FLAVOURS)}
        self.reservations = tuple(self._reservations())
        devices = (
            Device(f"{n.name}-{d}", f"f{i % FLAVOURS}", n.name, d) for i, n in enumerate(nodes) for d in range(ON_NODE)
        )
        self.inventory = Inventory(nodes, tuple(devices))
        self.rules = _rules()
        self._fill_devices()
        for names in self.node_names.values():
            names.pop()  # the reserved ones
        for _ in range(waiting):
            self._place(self.request())
        self.planner = Planner()

    def request(self) -> Ticket:
        """A ticket like all others; four of five are for the flavour of which the project has its own devices."""
        number, chance = next(self.numbers), self.chance
        project = chance.randrange(PROJECTS)
        user = project + PROJECTS * chance.randrange(USERS // PROJECTS)
        gpus = chance.choices([size for size, _ in SIZES], [share for _, share in SIZES])[0]
        flavour = project % FLAVOURS if chance.random() < 0.8 else chance.randrange(FLAVOURS)
        length = chance.choice(LENGTHS) * HOUR - chance.randrange(60) * timedelta(seconds=1)
        asked = NOW - chance.random() * 72 * HOUR
        who = (f"t{number:07}", f"u{user}", frozenset[str](), f"s{number}", f"p{project}")
        return Ticket(*who, f"{gpus} GPUs", f"f{flavour}", gpus, length, asked)

    def _reservations(self) -> Iterator[Reservation]:
        """Ten, longer than anybody of the longest queue waits; the projects that have them wait for others too."""
        times = (NOW + 25 * HOUR, NOW + 2400 * HOUR)
        for flavour, names in self.node_names.items():
            project, whole = f"p{flavour}", flavour >= ANYWHERE
            yield Reservation(f"r{flavour}", *times, project, f"f{flavour}", ON_NODE - (not whole), names[-1])
            if not whole:
                yield Reservation(f"r{FLAVOURS + flavour}", *times, f"p{flavour + FLAVOURS}", f"f{flavour}", 1)

    def _fill_devices(self) -> None:
        for flavour, names in self.node_names.items():
            for name in names:
                self._fill_node(flavour, name)

    def _fill_node(self, flavour: int, node: str) -> None:
        free = list(range(ON_NODE))
        while free:
            ticket = self.request()
            if ticket.gpus > len(free):
                continue
            project = self.chance.choice([p for p in range(PROJECTS) if p % FLAVOURS == flavour])
            ticket = replace(ticket, project=f"p{project}", user=f"x{ticket.id}", flavour=f"f{flavour}")
            held = tuple(f"{node}-{free.pop()}" for _ in range(ticket.gpus))
            starts = NOW - self.chance.random() * ticket.duration * 0.9
            self.tickets[ticket.id] = replace(ticket, state=State.RUNNING)
            who = (ticket.id, ticket.user, ticket.name, ticket.project, ticket.flavour)
            ends = starts + ticket.duration
            self.leases[ticket.id] = Lease(*who, held, starts, ends)
            self.lanes[node] += [ends] * ticket.gpus
            self.lanes[ticket.project] += [ends] * ticket.gpus

    def _place(self, ticket: Ticket) -> None:
        """Give a ticket a place behind all that is placed already, where its project has devices of its own."""
        self.tickets[ticket.id] = ticket
        flavour = int(ticket.flavour[1:])
        if int(ticket.project[1:]) % FLAVOURS != flavour:
            return
        node = min(self.node_names[flavour], key=lambda name: sorted(self.lanes[name])[ticket.gpus - 1])
        keys = ((node, ON_NODE), (ticket.project, NOMINAL), (ticket.user, MOST))
        start = max(self._free_lane(key, size, ticket.gpus) for key, size in keys) + MARGIN
        for key, _ in keys:
            self.lanes[key] = [*sorted(self.lanes[key])[ticket.gpus :], *[start + ticket.duration] * ticket.gpus]
        self.slots[ticket.id] = Slot(ticket.id, node, start, start + ticket.duration)
        self.tickets[ticket.id] = replace(ticket, starts_by=start)

    def _free_lane(self, key: str, size: int, gpus: int) -> datetime:
        lanes = self.lanes[key]
        if len(lanes) < size:
            lanes += [NOW] * (size - len(lanes))
        self.lanes[key] = sorted(lanes)[-size:]  # a project that borrows has more leases than devices of its own
        return self.lanes[key][gpus - 1]

    def world(self) -> World:
        """What the planner is shown."""
        kept = (tuple(self.tickets.values()), tuple(self.leases.values()), tuple(self.slots.values()))
        return World(self.inventory, self.rules, *kept, self.now, reservations=self.reservations)

    def decide(self) -> float:
        """One decision, carried out; the seconds that the planner took."""
        world = self.world()
        started = time.perf_counter()
        decided = self.planner.plan(world, self.now)
        seconds = time.perf_counter() - started
        self._store(decided)
        return seconds

    def pass_to(self, now: datetime) -> None:
        """Let time pass; the pool settles leases that end meanwhile, and grants the slots that begin."""
        self.now = now
        over = [name for name, lease in self.leases.items() if lease.ends <= now]
        for name in over:
            del self.leases[name], self.tickets[name]
        if over or any(slot.start <= now for slot in self.slots.values()):
            self.decide()

    def new_ticket(self) -> None:
        """Somebody asks."""
        ticket = replace(self.request(), requested_at=self.now)
        self.tickets[ticket.id] = ticket

    def early_end(self) -> None:
        """A lease that has time left is given back."""
        name = self.chance.choice([name for name, lease in self.leases.items() if lease.ends > self.now + HOUR / 4])
        del self.leases[name], self.tickets[name]

    def _store(self, decided: Plan) -> None:
        for name, promise in decided.promises.items():
            self.tickets[name] = replace(self.tickets[name], starts_by=promise)
        for grant in decided.grants:
            ticket = self.tickets[grant.ticket].after(Event.GRANT, self.now)
            self.tickets[ticket.id] = ticket
            who = (ticket.id, ticket.user, ticket.name, ticket.project, ticket.flavour)
            self.leases[ticket.id] = Lease(*who, grant.devices, grant.starts, grant.ends)
        for taken in decided.taken:
            self.leases[taken.ticket] = replace(self.leases[taken.ticket], ends=taken.ends)
            self.tickets[taken.ticket] = self.tickets[taken.ticket].after(Event.RECLAIM, self.now)
        self.slots = {slot.ticket: slot for slot in decided.slots}
        assert not decided.broken, decided.broken


def _rules() -> Catalogue:
    flavours = {f"f{i}": Flavour(f"f{i}", f"Flavour {i}") for i in range(FLAVOURS)}
    projects = {
        f"p{i}": Project(
            f"p{i}",
            f"Project {i}",
            everyone=True,
            nominal={f"f{i % FLAVOURS}": NOMINAL},
            borrow=dict.fromkeys(flavours, BORROW),
            budget=Budget(GPU_HOURS_A_MONTH),
        )
        for i in range(PROJECTS)
    }
    return Catalogue(flavours, {}, projects, Limits(UserLimit(MOST, 10**6, 10**6)))


def timed(pool: Pool, change: Callable[[], None], decisions: int) -> list[float]:
    """Seconds of so many decisions, each after one change, a second apart."""
    seconds = []
    for _ in range(decisions):
        pool.pass_to(pool.now + timedelta(seconds=1))
        change()
        seconds.append(pool.decide())
    return sorted(seconds)


def percentile(ordered: list[float], part: float) -> float:
    """The smallest value that at least `part` of them do not exceed."""
    return ordered[max(math.ceil(part * len(ordered)), 1) - 1]


def tell(name: str, unit: str, value: float, spread: list[float], aim: tuple[str, bool] | None) -> None:
    """Print one line."""
    line: dict[str, object] = {"name": name, "unit": unit, "ours": round(value, 5), "baseline": None, "ratio": None}
    if aim:
        line |= {"aim": aim[0], "met": aim[1]}
    line |= {"n": len(spread), "spread": [round(min(spread), 5), round(max(spread), 5)]}
    print(json.dumps(line), flush=True)


def measure(waiting: int, decisions: int, rebuilds: int) -> dict[str, float]:
    """Measure one length of the queue; what grows with it, by name."""
    pool = Pool(waiting, seed=waiting)
    at, aimed = f"{waiting:,} queued", waiting == 10_000
    cold = []
    for _ in range(rebuilds):
        pool.planner = Planner()
        gc.collect()
        cold.append(pool.decide())
    new, ends = timed(pool, pool.new_ticket, decisions), timed(pool, pool.early_end, decisions)
    found = {
        "new ticket": percentile(new, 0.99),
        "early end": percentile(ends, 0.99),
        "cold rebuild": sorted(cold)[len(cold) // 2],
    }
    aims = {"new ticket": NEW_TICKET_AIM_S, "early end": EARLY_END_AIM_S, "cold rebuild": COLD_AIM_S}
    for name, spread in zip(found, (new, ends, cold), strict=True):
        kind = "median" if name == "cold rebuild" else "p99"
        aim = (f"< {aims[name]}", found[name] < aims[name]) if aimed else None
        tell(f"{name}, {kind}, {at}", "s", found[name], spread, aim)
    tell(f"memory of the planner, {at}", "MiB", *_memory(pool), None)
    return found


def _memory(pool: Pool) -> tuple[float, list[float]]:
    world = pool.world()
    tracemalloc.start()
    planner = Planner()
    planner.plan(world, pool.now)
    mib = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    return mib, [mib]


def main() -> None:
    """Measure all lengths, with 200 decisions of a kind each or, with --full, 1,000."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long form")
    decisions = 1000 if parser.parse_args().full else 200
    found = {}
    for waiting in QUEUES:
        found[waiting] = measure(waiting, decisions, rebuilds=5 if waiting < QUEUES[-1] else 3)
        print(f"{waiting} queued: measured", file=sys.stderr, flush=True)
    for name in found[QUEUES[0]]:
        growth = math.log(found[100_000][name] / found[1_000][name]) / math.log(100)
        tell(f"growth with the queue: {name}", "exponent", growth, [growth], (f"<= {GROWTH_AIM}", growth <= GROWTH_AIM))


if __name__ == "__main__":
    main()
