"""Histories of a pool over a real cluster: a real desk and reconciler, the real engine, and pods for servers.

Time stands still but for the steps that let it pass, so that what is due is told apart from what is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from itertools import count
from random import Random

from labpool.cluster import ClusterApi, connected
from labpool.domain.inventory import Condition, Inventory
from labpool.domain.planner import plan
from labpool.domain.plans import BreakCause
from labpool.domain.tickets import HOLDING, OPEN, State
from labpool.engines.kubernetes import KubernetesEngine
from labpool.engines.kueue import KueueEngine
from labpool.hub_api import HubRefused
from labpool.service.changes import Changes
from labpool.service.desk import NotNow
from labpool.service.in_line import leave_line
from labpool.service.line_keeper import LineKeeper
from labpool.service.overriding import end_override
from labpool.service.reconciler import Reconciler
from labpool.service.setting import Setting
from labpool.store.kept import Kept
from sqlalchemy import Engine

from tests.domain.rules import must
from tests.kubernetes.agreement import disagreements, stored
from tests.kubernetes.fake_nodes import FOREIGN
from tests.kubernetes.history_lab import HistoryLab
from tests.kubernetes.hub_of_pods import HubOfPods
from tests.kubernetes.watched_pool import PoolOfKueue, WatchedDesk
from tests.service.happenings import ROOT, Happenings, pick
from tests.service.pool_history import INTERVAL, Step, WatchedStore
from tests.service.stored_pool import StoredPool

PEOPLE_DO = (
    *(*6 * ("ask",), *3 * ("use",), "use", "wait", "wait", "stop", "stop", "cancel", "ready", "extend"),
    *("start_no_more", "end_by_admin", "instead", "reorder"),
)
HAPPENS = (
    *("die", "die", "cordon", "uncordon", "remove_node", "return_node", "return_node", "killed", "killed", "restart"),
    *("take_gpus", "give_gpus", "override", "end_override", "stray"),
)
HAPPENS_IN_QUEUES = ("foreign_workload", "foreign_workload_goes")
PATIENCE_SECONDS = 180.0
_ENGINES = {"kueue": KueueEngine, "kubernetes": KubernetesEngine}


def steps_of(engine: str, random: Random, length: int) -> list[Step]:
    """A history drawn by chance."""
    kinds = (*PEOPLE_DO, *HAPPENS, *(HAPPENS_IN_QUEUES if engine == "kueue" else ()))
    return [(random.choice(kinds), random.randrange(12), random.randrange(12)) for _ in range(length)]


class ClusterHistory(Happenings):
    """One pool from its first start on, and what happens around it in a real cluster."""

    api: ClusterApi
    hub: HubOfPods

    def __init__(self, database: Engine, lab: HistoryLab) -> None:
        self.lab = lab
        self._engine: KubernetesEngine | None = None
        self._lasting: set[asyncio.Task[object]] = set()
        self._foreign, self._numbers = list[str](), count(1)
        super().__init__(database)

    def furnish(self) -> None:
        """Begin now, with a cluster; the room is what runs in it."""
        self.now = datetime.now(timezone.utc)
        self.told = PoolOfKueue(plan) if self.lab.engine == "kueue" else StoredPool(plan)
        self.rules = self.lab.file.catalogue
        self.room, self.hub = Room(self), HubOfPods(self)  # type: ignore[assignment]

    def start(self) -> None:
        """Start the pool on what its store has; `begin` does what has to be waited for."""
        self.store = WatchedStore(self.engine, self._look_at_store)
        self.desk = WatchedDesk(self.store, self._setting(Inventory()), lambda: self.now, Changes())

    def _setting(self, found: Inventory) -> Setting:
        return Setting(found, self.rules)

    async def begin(self) -> None:
        """Follow the cluster, in place of a pool that was killed."""
        await self.close()
        self._engine = await _ENGINES[self.lab.engine].began(lambda: self.lab.file, self.lab.pool_id)
        self._lasting = asyncio.all_tasks()
        self.reconciler = Reconciler(self.desk, self._engine, self.hub, self._setting, INTERVAL)
        line = self._engine.line
        self._keeper = LineKeeper(self.desk, line, self.reconciler.look_soon) if line else None
        await self.reconciler.begin()

    async def close(self) -> None:
        """What the death of the pool's process ends."""
        for task in self._passing():
            task.cancel()
        if self._engine is not None:
            await self._engine.close()
            self._engine = None

    async def play(self, steps: list[Step]) -> None:
        """Let `steps` happen, and give all back in the end."""
        async with connected() as self.api:
            try:
                await self.run(steps)
            finally:
                await self.close()

    async def look(self) -> None:
        """Let the pool look round until nothing is under way any more; then store and cluster say the same."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + PATIENCE_SECONDS
        while told := await self._look_once():
            must(clock() < deadline, f"5: after {PATIENCE_SECONDS:g} s still: {'; '.join(told)}")
            await asyncio.sleep(0.05)

    async def _look_once(self) -> list[str]:
        await self.reconciler.look()
        await self._let_pass()
        if self._keeper is not None:
            await self._keeper.turn()
            await self._let_pass()
        self.judge()
        there = await asyncio.to_thread(self.lab.found)
        return disagreements(await asyncio.to_thread(stored, self.engine), there, time_stands=True)

    async def _let_pass(self) -> None:
        """Wait for what the pool does beside its looks, such as asking the hub to start a server."""
        if passing := self._passing():
            await asyncio.wait(passing)

    def _passing(self) -> set[asyncio.Task[object]]:
        return asyncio.all_tasks() - self._lasting - {asyncio.current_task()}

    def _look_at_store(self, remembered: Kept | None) -> None:
        super()._look_at_store(remembered)
        decided, self.desk.decided = self.desk.decided and self.desk.hub_answers, False
        self._seen[-1] = replace(self._seen[-1], decided=decided)

    async def end(self) -> None:
        """Undo what happened around the pool, let everybody give all back: then nothing is left in the cluster."""
        await asyncio.to_thread(self._repair)
        for override in (await self.desk.view(lambda view: view.acts())).overrides:
            await end_override(self.desk, override.id, 1000, ROOT)
        await self.look()
        while await self._tickets(*OPEN):
            for ticket in await self._tickets(State.QUEUED):
                with suppress(NotNow):  # who left before it has made room for it
                    await leave_line(self.desk, ticket.id, ROOT.name)
            for ticket in await self._tickets(*HOLDING):
                with suppress(NotNow):  # it has ended by itself
                    await self.reconciler.give_back(ticket, ROOT.name)
            await self.look()
        there = await asyncio.to_thread(self.lab.found)
        must(not there.pods and not there.workloads, f"5: left in the cluster are {there}")
        self.check_chain()

    def _repair(self) -> None:
        nodes = self.lab.cluster.nodes
        self.lab.add_nodes()
        for node in self.lab.nodes:
            nodes.cordon(node, closed=False)
            self._end_foreign_pods(node)
        if self._foreign:
            self.lab.queues.end(*self._foreign)

    async def _happen(self, kind: str, one: int, other: int) -> None:
        with suppress(HubRefused):  # a start that fails at first is the pool's to repeat
            await super()._happen(kind, one, other)

    async def _restart(self, one: int, other: int) -> None:
        """The pool ends and starts again at once."""
        self.start()
        await self.begin()

    async def _die(self, one: int, _: int) -> None:
        """A server's process dies."""
        if pod := pick(sorted(await self.hub.pods()), one):
            await self.hub.fail(pod)

    async def _stray(self, one: int, _: int) -> None:
        """A pod of the pool's is there of whose ticket it knows nothing, as after a restored backup."""
        await self.hub.make_stray(f"stray-{next(self._numbers)}")

    async def _cordon(self, one: int, _: int) -> None:
        self.told.causes.add(BreakCause.NODE_UNAVAILABLE)
        if node := pick(self._there(), one):
            await asyncio.to_thread(self.lab.cluster.nodes.cordon, node)
            await self._until(lambda found: _condition(found, node) is not Condition.SERVING)

    async def _uncordon(self, one: int, _: int) -> None:
        if node := pick(self._there(), one):
            await asyncio.to_thread(self.lab.cluster.nodes.cordon, node, closed=False)
            await self._until(lambda found: _condition(found, node) is Condition.SERVING)

    async def _remove_node(self, one: int, _: int) -> None:
        """A node is taken out of the cluster, with all that runs there."""
        self.told.causes.add(BreakCause.NODE_UNAVAILABLE)
        if node := pick(self._there(), one):
            await asyncio.to_thread(self.lab.cluster.nodes.remove, node)
            await self._until(lambda found: _condition(found, node) in (None, Condition.FAILED))

    async def _return_node(self, one: int, _: int) -> None:
        gone = set(self.lab.nodes) - set(self._there())
        await asyncio.to_thread(self.lab.add_nodes)
        await self._until(lambda found: all(_condition(found, node) is Condition.SERVING for node in gone))

    async def _take_gpus(self, one: int, other: int) -> None:
        """A pod of somebody else's takes GPUs past all queues."""
        self.told.causes.add(BreakCause.DEVICE_UNAVAILABLE)
        node = pick(self._there(), one)
        free = self._free(self.told.world.inventory, node) if node else 0
        if node and free:
            await asyncio.to_thread(self.lab.cluster.nodes.use, node, 1 + other % free)
            await self._until(lambda found: self._free(found, node) < free)

    async def _give_gpus(self, one: int, _: int) -> None:
        """Pods of somebody else's end."""
        if node := pick(self._there(), one):
            await asyncio.to_thread(self._end_foreign_pods, node)
            await self._until(lambda found: not any("GPUs" in why for id_, why in found.withheld if _on(id_, node)))

    async def _foreign_workload(self, one: int, other: int) -> None:
        """Somebody else asks for GPUs in a project's queue."""
        name = f"foreign-{next(self._numbers)}"
        self._foreign.append(name)
        await asyncio.to_thread(self.lab.queues.ask, name, ("vision", "speech")[other % 2], 1 + one % 2)

    async def _foreign_workload_goes(self, one: int, _: int) -> None:
        if name := pick(self._foreign, one):
            self._foreign.remove(name)
            await asyncio.to_thread(self.lab.queues.end, name)

    async def _until(self, holds: Callable[[Inventory], bool]) -> None:
        """Wait until the engine has seen what happened to its nodes."""
        assert self._engine is not None
        clock = asyncio.get_running_loop().time
        deadline = clock() + PATIENCE_SECONDS
        leases = await self.desk.view(lambda view: view.live_leases())
        while not holds(await self._engine.inventory(leases)):
            must(clock() < deadline, "what happened to a node was not seen")
            await asyncio.sleep(0.02)

    def _there(self) -> list[str]:
        return sorted(set(self.lab.nodes) & set(self.lab.cluster.nodes.names()))

    def _free(self, found: Inventory, node: str) -> int:
        taken = {device for lease in self.told.world.leases for device in lease.devices}
        taken |= {device for device, _ in found.withheld}
        return sum(device.node == node and device.id not in taken for device in found.devices)

    def _end_foreign_pods(self, node: str) -> None:
        chosen = f"--field-selector=spec.nodeName={node}"
        self.lab.cluster.kubectl("delete", "pods", chosen, f"--namespace={FOREIGN}", "--grace-period=1")


class Room:
    """What runs in the cluster, as the histories in memory ask for it."""

    def __init__(self, history: ClusterHistory) -> None:
        self._history = history
        self.stuck: set[str] = set()

    @property
    def running(self) -> Mapping[str, tuple[str, ...]]:
        """Tickets with the names of their pods."""
        return self._history.reconciler.sighting.processes

    def lost(self, ticket: str) -> bool:
        """Whether the node of a ticket's server isn't heard of: then nothing of it is found."""
        return ticket not in self.running


def _condition(found: Inventory, node: str) -> Condition | None:
    return next((each.condition for each in found.nodes if each.name == node), None)


def _on(device: str, node: str) -> bool:
    return device.partition("/")[0] == node
