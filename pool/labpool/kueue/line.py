"""The line of a cluster with Kueue: its Workloads followed, verdicts made of them, and what is due carried out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus

from labpool.cluster import ClusterApi, ClusterRefused, ClusterUnavailable, FieldsTaken, Followed, Kind
from labpool.cluster.answers import make_sure
from labpool.domain.verdicts import Verdicts
from labpool.domain.world import World
from labpool.kueue.decided import verdicts_of
from labpool.kueue.keeping import (
    Activate,
    GiveBack,
    HoldOff,
    Make,
    NoteReady,
    Rejoin,
    Remove,
    Step,
    Taking,
    steps,
    takes_away,
)
from labpool.kueue.manifests import GROUP_VERSION
from labpool.kueue.places import Places
from labpool.kueue.queue_keeper import QueueKeeper
from labpool.kueue.workload_manifests import Workloads, given_back, name_of, said_of
from labpool.kueue.workloads import Workload, workload_of
from labpool.settings import ClusterSettings, KueueSettings

_AT_ONCE = 8
_REST, _SHARE = 0.03, 4.0
"""Seconds from verdicts to the next ones, and how many times as long as it takes to make them if that is more."""
_MERGE = "application/merge-patch+json"
_LOG = logging.getLogger(__name__)


class Line:
    """Stands for a pool's tickets in Kueue's queues; `changed` is called when Kueue has decided something.

    Args:
        api: The API server.
        pool: The pool's id, which its Workloads bear.
        settings: What pool.yaml says now of the cluster, and of its queues, the namespace filled in.
        clock: The time, aware.
        machines: Names of nodes by their host names, where those are others.
    """

    def __init__(
        self,
        api: ClusterApi,
        pool: str,
        settings: Callable[[], tuple[ClusterSettings, KueueSettings]],
        clock: Callable[[], datetime],
        machines: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._api, self._pool, self._settings = api, pool, settings
        self._clock, self._machines = clock, machines
        self._namespace = namespace = settings()[1].namespace
        self._queues = QueueKeeper(api, settings)
        self._path = f"/apis/{GROUP_VERSION}/namespaces/{namespace}/workloads"
        self.changed: Callable[[], None] = lambda: None
        self._followed = Followed(api, Kind("Workloads", self._path, workload_of), self._seen)
        self._places = Places(api, namespace)
        self._held_off: dict[str, datetime] = {}
        self._pause = timedelta(0)
        self._soon: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._refusals, self._refused_before = set[str](), frozenset[str]()
        self.verdicts = Verdicts(heard=False)

    @property
    def trouble(self) -> str | None:
        """What keeps us from seeing what Kueue decides, or from asking it, in words; None where nothing does."""
        return (
            self._followed.trouble or min(self._refusals, default=None) or self._places.refusal or self._queues.trouble
        )

    def begin(self) -> None:
        """Follow from now on."""
        self._followed.begin()

    async def close(self) -> None:
        """Follow no more; what stands in line stays there."""
        await self._followed.close()
        if self._soon is not None:
            self._soon.cancel()

    def hold_off(self, tickets: Iterable[str]) -> None:
        """Let others go first, for as long as it was tried: no machine had room for their servers."""
        until = self._clock() + self._pause
        self._held_off |= dict.fromkeys(tickets, until)

    async def keep(self, look: Callable[[], Awaitable[World]]) -> None:
        """Do what is due to the queues and to the Workloads of all tickets, and ask Kueue for their places.

        What the API server refuses stays undone until the next time; `trouble` says so.
        """
        if not self.verdicts.heard:
            return
        world = await look()
        if await self._queues.keep(world.catalogue):
            world = await look()  # that may have taken a while
        now, self._pause = self._clock(), world.catalogue.queue.placement
        tickets = {ticket.id for ticket in world.tickets}
        self._held_off = {name: until for name, until in self._held_off.items() if until > now and name in tickets}
        ours, held_off = self._ours(), frozenset(self._held_off)
        made = Workloads(self._pool, world.catalogue, *self._settings())
        due = await asyncio.to_thread(lambda: list(steps(world, ours, made.made_of, held_off, now)))
        self._refused_before, self._refusals = frozenset(self._refusals), set()
        # who may have what comes free is in line before it does, and first of all who has something
        taking = [step for step in due if takes_away(step)]
        anew = [step for step in due if isinstance(step, Make) and step.node]
        await self._do_all(anew, made)
        await self._do_all([step for step in due if not takes_away(step) and step not in anew], made)
        await self._take_away(taking, made, world, look)
        if anew:
            self._queues.look_soon()  # whatever took the Workloads may have taken the queues too
        await self._places.ask(self._followed.objects.values(), self._pool)
        self._decide()

    async def _take_away(
        self, due: list[Taking], made: Workloads, world: World, look: Callable[[], Awaitable[World]]
    ) -> None:
        """Do what takes turns or places away, but from those who have got a lease since we looked.

        By that second look we also know that this pool still leads.
        """
        if not due:
            return
        self.hold_off(step.workload.ticket for step in due if isinstance(step, HoldOff))
        self._decide()  # from now on nobody starts by a turn that goes
        before = {lease.ticket for lease in world.leases}
        started = {lease.ticket for lease in (await look()).leases} - before
        await self._do_all([step for step in due if step.workload.ticket not in started], made)

    async def _do_all(self, due: Iterable[Step], made: Workloads) -> None:
        await asyncio.gather(*(self._try(step, made) for step in due))

    def _ours(self) -> dict[str, Workload]:
        return {each.name: each for each in self._followed.objects.values() if each.pool == self._pool}

    def _seen(self) -> None:
        """Make verdicts at once, but not again and again: changes come in swarms, and each time all are made anew."""
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_at(self._not_before, self._decide)

    def _decide(self) -> None:
        """Make verdicts of what is there now, and tell if that changes anything."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        clock = asyncio.get_running_loop().time
        began = clock()
        found = self._followed.objects.values()
        settings = self._settings()[1]
        verdicts = verdicts_of(found, self._pool, settings, self._places.of, self._held_off, self._machines())
        self._not_before = clock() + max(_REST, _SHARE * (clock() - began))
        if verdicts != self.verdicts:
            self.verdicts = verdicts
            self.changed()

    async def _try(self, step: Step, made: Workloads) -> None:
        async with self._turns:
            try:
                await self._do(step, made)
            except (ClusterRefused, ClusterUnavailable) as error:
                self._refusals.add(str(error))
                if str(error) not in self._refused_before:  # said once, and not at every turn
                    _LOG.warning("a ticket's Workload is not as it should be: %s", error)

    async def _do(self, step: Step, made: Workloads) -> None:
        match step:
            case Make(ticket=ticket, active=active, node=node):
                hosts = {name: host for host, name in self._machines().items()}
                is_new = await self._make(name_of(ticket), made.manifest(ticket, active, hosts.get(node, node)))
                if node and is_new:
                    _LOG.warning("a lease had no Workload any more; it has one again", extra={"ticket": ticket.id})
            case Activate(workload=workload, active=active):
                await self._patch(workload, {"spec": {"active": active}})
            case HoldOff(workload=workload):
                _LOG.warning("the turn of a ticket came to nothing", extra={"ticket": workload.ticket})
                await self._patch(workload, {"spec": {"active": False}})
            case Rejoin(workload=workload, ticket=ticket, active=active):
                await self._patch(workload, made.rejoined(ticket, active))
            case GiveBack(workload=workload):
                await self._patch(workload, given_back(workload, self._clock()), "/status")
            case NoteReady(workload=workload):
                await self._say(workload, {"PodsReady": "Started"})
            case Remove(workload=workload):
                await self._remove(workload)

    async def _make(self, name: str, body: Mapping[str, object]) -> bool:
        """Make a Workload; False where it is there already, as the watch will tell."""
        there = self._followed.objects.get((self._namespace, name))
        if there is not None and there.pool != self._pool:
            raise ClusterRefused(_foreign(there))
        status, answer = await self._api.ask("POST", self._path, {}, body)
        if status == HTTPStatus.CONFLICT:
            return False
        make_sure(status, answer, f"make the Workload {name}")
        return True

    async def _patch(self, workload: Workload, change: Mapping[str, Mapping[str, object]], part: str = "") -> None:
        """Change a Workload, if it is still as we saw it."""
        path = self._path_of(workload) + part
        body = {**change, "metadata": {**change.get("metadata", {}), "resourceVersion": workload.version}}
        status, answer = await self._api.ask("PATCH", path, {"fieldManager": "labpool"}, body, content_type=_MERGE)
        if status not in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):  # it has changed meanwhile: the next look tells
            make_sure(status, answer, f"change the Workload {workload.name}")

    async def _say(self, workload: Workload, conditions: Mapping[str, str]) -> None:
        body = said_of(workload, conditions, self._clock())
        try:
            await self._api.apply(
                f"{self._path_of(workload)}/status", body, f"say how the Workload {workload.name} stands", force=True
            )
        except FieldsTaken:
            _LOG.info("the Workload %s changed meanwhile", workload.name)

    async def _remove(self, workload: Workload) -> None:
        """Finish a Workload and delete it; where it can't be finished, delete it all the same."""
        try:
            await self._say(workload, {"Finished": "JobFinished"})
        except ClusterRefused as error:
            _LOG.info("the Workload %s can't be finished: %s", workload.name, error)
        same = {"preconditions": {"uid": workload.uid}}  # never the next one of its name
        await self._api.delete(self._path_of(workload), f"delete the Workload {workload.name}", options=same)

    def _path_of(self, workload: Workload) -> str:
        return f"{self._path}/{workload.name}"


def _foreign(workload: Workload) -> str:
    whose = f"belongs to the pool {workload.pool}" if workload.pool else "bears no pool's label"
    return (
        f"A Workload {workload.name} is there already and {whose}, so our ticket of that name can't stand in Kueue's "
        "queues. If nobody needs it, delete it; two pools with the same tickets need two namespaces."
    )
