"""A pool in memory around a line that is real: Kueue's queues, and the Workloads of its tickets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from labpool.cluster import ClusterApi, connected
from labpool.domain.admitted import plan_admitted
from labpool.domain.explain import why_waiting
from labpool.domain.inventory import Device, Inventory, Node
from labpool.domain.leases import Lease
from labpool.domain.reasons import WaitReason
from labpool.domain.tickets import Event, Ticket
from labpool.domain.world import World
from labpool.kueue.line import Line
from labpool.settings import PoolFile, load_pool_file

from tests.domain.lab import follow
from tests.kubernetes.queues import Queues, project

_PATIENCE = 60.0
HOUR = timedelta(hours=1)
PROFILES = {
    f"gpu-{gpus}": {"title": f"{gpus} GPUs", "flavour": "a100", "gpus": gpus, "cpu": 2, "memory_gib": 4, "max_hours": 8}
    for gpus in (1, 4, 5, 8)
}
LAB = project(nominal={"a100": 16}, borrow={"a100": 16}, profiles=[*PROFILES])


@dataclass
class LittlePool:
    """A pool of which only the line is real."""

    line: Line
    file: PoolFile
    world: World
    number: int = 0

    def ask(self, user: str, gpus: int = 8, project: str = "vision") -> str:
        """File a ticket for a server with so many GPUs."""
        self.number += 1
        name = f"{user}-{self.number}"
        profile = f"gpu-{gpus}"
        asked = Ticket(name, user, frozenset(), name, project, profile, "a100", gpus, 4 * HOUR, _now())
        self.world = replace(self.world, tickets=(*self.world.tickets, asked))
        return name

    async def until(self, done: Callable[[], bool], what: str) -> None:
        """Go on deciding and keeping the line until something is so."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            await self.turn()
            if done():
                return
            assert time.monotonic() < deadline, f"waited for {what}; {self.line.verdicts}, {self.line.trouble}"
            await asyncio.sleep(0.1)

    async def turn(self) -> None:
        """Decide once and keep the line."""
        self.world = replace(self.world, verdicts=self.line.verdicts)
        decided = plan_admitted(self.world, self.line.verdicts, _now())
        self.world = follow(self.world, decided, _now())
        await self.line.keep(self._look)
        self.world = replace(self.world, verdicts=self.line.verdicts)

    async def _look(self) -> World:
        return self.world

    async def next_second(self) -> None:
        """Let later Workloads be later: their places are counted by whole seconds."""
        await self.turn()  # which makes those of all who have asked
        began = int(time.time())
        await self.until(lambda: int(time.time()) > began, "the next second")

    async def granted(self, *names: str) -> set[str]:
        """Wait for the leases of tickets; returns their machines."""
        await self.until(lambda: all(self.lease(name) for name in names), f"the turn of {names}")
        return {self.node(name) for name in names}

    def ticket(self, name: str) -> Ticket:
        """A ticket."""
        return next(each for each in self.world.tickets if each.id == name)

    def lease(self, name: str) -> Lease | None:
        """What it holds."""
        return next((each for each in self.world.leases if each.ticket == name), None)

    def node(self, name: str) -> str:
        """Where that is."""
        held = self.lease(name)
        assert held is not None
        return held.devices[0].partition("/")[0]

    def why(self, name: str) -> WaitReason | None:
        """Why it waits."""
        wait = why_waiting(self.ticket(name), self.world, _now())
        return wait.reason if wait else None

    def change_profile(self, name: str, cpu: float) -> None:
        """Let pool.yaml say something else of a profile."""
        rules = self.world.catalogue
        profiles = {**rules.profiles, name: replace(rules.profiles[name], cpu=cpu)}
        self.world = replace(self.world, catalogue=replace(rules, profiles=profiles))

    def use(self, name: str) -> None:
        """Let the server be up, and its user use it."""
        self._change(name, self.ticket(name).after(Event.FIRST_USE, _now()))
        leases = (replace(each, ready_at=_now()) if each.ticket == name else each for each in self.world.leases)
        self.world = replace(self.world, leases=tuple(leases))

    def end(self, name: str) -> None:
        """Let it be over."""
        self.world = replace(self.world, tickets=tuple(each for each in self.world.tickets if each.id != name))
        self._drop_lease(name)

    def requeue(self, name: str) -> None:
        """Let its lease be over, and itself in line again."""
        self._drop_lease(name)
        self._change(name, self.ticket(name).requeued(_now(), 3 * HOUR))

    def _change(self, name: str, after: Ticket) -> None:
        tickets = (after if each.id == name else each for each in self.world.tickets)
        self.world = replace(self.world, tickets=tuple(tickets))

    def _drop_lease(self, name: str) -> None:
        self.world = replace(self.world, leases=tuple(each for each in self.world.leases if each.ticket != name))


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _inventory() -> Inventory:
    nodes = [f"gpu-{number}" for number in (1, 2, 3, 4)]
    devices = tuple(Device(f"{node}/{index}", "a100", node, index) for node in nodes for index in range(8))
    return Inventory(tuple(Node(node, 64, 512) for node in nodes), devices)


def played(
    queues: Queues, story: Callable[[LittlePool], Coroutine[None, None, None]], kubeconfig: Path | None = None
) -> None:
    """Play a story in a lab with two projects, as the cluster's administrator or as whom a kubeconfig names."""
    queues.write({"vision": LAB, "speech": LAB}, profiles=PROFILES, limits={"user": {"gpus": 16}})
    asyncio.run(_play(queues, story, kubeconfig or queues.cluster.kubeconfig))


async def _play(queues: Queues, story: Callable[[LittlePool], Awaitable[None]], kubeconfig: Path) -> None:
    file = load_pool_file(queues.folder / "pool.yaml")
    async with connected({"KUBECONFIG": str(kubeconfig)}) as api, _line(api, file) as line:
        pool = LittlePool(line, file, World(_inventory(), file.catalogue))
        await pool.until(lambda: line.verdicts.heard, "Kueue's word")
        await pool.turn()  # which sets the queues
        await story(pool)


@asynccontextmanager
async def _line(api: ClusterApi, file: PoolFile) -> AsyncIterator[Line]:
    line = Line(api, "the-pool", lambda: (file.cluster, file.kueue), _now)
    line.begin()
    try:
        yield line
    finally:
        await line.close()
