"""How long does one decision of the planner take with a long queue on a large pool?

Two moments of 64 devices with 200 waiting tickets: a new queue that has no places yet, and a queue with places of which
five leases end early. The aim is a decision well within half a second, so that nobody waits for the pool to think.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from labpool.domain.catalogue import Catalogue, Flavour, Limits, Project, UserLimit
from labpool.domain.inventory import Device, Inventory
from labpool.domain.leases import Lease
from labpool.domain.planner import plan
from labpool.domain.plans import Plan
from labpool.domain.tickets import Event, Ticket
from labpool.domain.world import World

NOW = datetime(2026, 3, 2, 9, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
AIM_SECONDS = 0.5
DEVICES, WAITING = 64, 200


def new_queue(seed: int) -> World:
    """A free pool of eight nodes and more requests than it can hold, so that about `WAITING` have to wait."""
    chance = random.Random(seed)
    devices = tuple(Device(f"d{i}", "gpu", f"n{i // 8}", i % 8) for i in range(DEVICES))
    projects = {
        name: Project(name, name, everyone=True, nominal={"gpu": 16}, borrow={"gpu": 32})
        for name in ("vision", "speech", "robots", "graphs")
    }
    rules = Catalogue({"gpu": Flavour("gpu", "GPU")}, {}, projects, Limits(UserLimit(8, 3, 8)))
    asked = (_request(chance, i, tuple(projects)) for i in range(WAITING + DEVICES // 2))
    return World(Inventory((), devices), rules, tuple(asked))


def _request(chance: random.Random, number: int, projects: tuple[str, ...]) -> Ticket:
    gpus, hours = chance.choice((1, 1, 1, 2, 2, 4, 8)), chance.choice((1, 2, 4, 8, 12, 24))
    user, asked_at = f"user{chance.randrange(60)}", NOW + number * timedelta(seconds=1)
    project = chance.choice(projects)
    return Ticket(f"t{number}", user, frozenset(), f"s{number}", project, "any", "gpu", gpus, hours * HOUR, asked_at)


def early_ends(world: World, decided: Plan) -> World:
    """The stored outcome of a decision, five of its leases given back."""
    granted = {grant.ticket: grant for grant in decided.grants}
    leases = [
        Lease(t.id, t.user, t.name, t.project, t.flavour, granted[t.id].devices, NOW, granted[t.id].ends)
        for t in world.tickets
        if t.id in granted
    ]
    tickets = tuple(
        t.after(Event.GRANT, NOW) if t.id in granted else replace(t, starts_by=decided.promises[t.id])
        for t in world.tickets
        if t.id in granted or t.id in decided.promises
    )
    return replace(world, tickets=tickets, leases=tuple(leases[5:]), slots=decided.slots)


def measure(name: str, worlds: list[World]) -> None:
    """Print one line with the median time of a decision over `worlds`."""
    now, seconds = NOW + HOUR / 4, []
    for world in worlds:
        started = time.perf_counter()
        plan(world, now)
        seconds.append(time.perf_counter() - started)
    median = statistics.median(seconds)
    line = {"name": name, "unit": "s", "ours": round(median, 4), "baseline": None, "ratio": None}
    line |= {"aim": f"<= {AIM_SECONDS}", "met": median <= AIM_SECONDS, "n": len(seconds)}
    print(json.dumps(line | {"spread": [round(min(seconds), 4), round(max(seconds), 4)]}))


def main() -> None:
    """Measure both moments, on 9 random queues or, with --full, on 99."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long form")
    worlds = [new_queue(seed) for seed in range(99 if parser.parse_args().full else 9)]
    measure("plan_new_queue", worlds)
    measure("plan_after_early_ends", [early_ends(world, plan(world, NOW)) for world in worlds])


if __name__ == "__main__":
    main()
