"""What does our spawner with its pool cost a start, against stock KubeSpawner in the same cluster?

Servers are asked for as a program does: POST, and for those that wait for their turn a look every tenth of a second at
which ones are ready, one request for all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks.on_cluster.labs import ENGINES, STOCK, ClusterLab, alone, our_lab, stock_lab
from benchmarks.on_cluster.requests import AskedOf
from benchmarks.serving.lines import tell_ratio
from tests.kubernetes.cluster import running_cluster
from tests.running_lab import ADMIN_TOKEN

AIM_TIME, AIM_RATE = 1.2, 0.85
NODES, GPUS = 4, 8
GPU = {"project": "everybody", "profile": "gpu-1", "hours": 1}
_LOOK_SECONDS = 0.1
Measured = Mapping[str, list[float]]


class Starter:
    """Starts servers of one lab, and knows when they are ready."""

    def __init__(self, lab: ClusterLab) -> None:
        self.lab = lab
        headers, limits = {"Authorization": f"token {ADMIN_TOKEN}"}, httpx.Limits(max_connections=None)
        url = lab.lab.ports.hub_api_url
        self._hub = httpx.AsyncClient(base_url=url, headers=headers, timeout=300, limits=limits, trust_env=False)
        self._waiting: dict[str, asyncio.Event] = {}
        self._looking: asyncio.Task[None] | None = None

    async def add(self, people: Sequence[str]) -> None:
        """Let the hub know people."""
        (await self._hub.post("/users", json={"usernames": list(people)})).raise_for_status()

    async def start(self, person: str, options: Mapping[str, object] = GPU) -> float:
        """Seconds from the POST to a server that is ready. Stock servers have no options."""
        options = {} if self.lab.kind == STOCK else options
        began = time.perf_counter()
        answer = await self._hub.post(f"/users/{person}/server", json={"user_options": options})
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "Retry-After" in answer.headers:
            await self._ready(person)
        elif answer.status_code != httpx.codes.CREATED:
            raise RuntimeError(f"{person}'s server did not become ready: {answer.status_code} {answer.text}")
        return time.perf_counter() - began

    async def stop(self, people: Sequence[str]) -> None:
        """Stop servers, and return once nothing of any is left."""
        await asyncio.gather(*(self._hub.delete(f"/users/{person}/server") for person in people))
        await asyncio.to_thread(self.lab.wait_until_nothing_is_left)

    async def close(self) -> None:
        """Ask no more."""
        await self._hub.aclose()

    async def _ready(self, person: str) -> None:
        self._waiting[person] = asyncio.Event()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        done, _ = await asyncio.wait(
            {self._looking, asyncio.ensure_future(self._waiting[person].wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        for each in done:
            each.result()

    async def _look(self) -> None:
        deadline = time.monotonic() + 120
        while self._waiting:
            ready = (await self._hub.get("/users", params={"state": "ready", "limit": 200})).raise_for_status().json()
            for person in self._waiting.keys() & {each["name"] for each in ready}:
                self._waiting.pop(person).set()
            if time.monotonic() > deadline:
                raise RuntimeError(f"servers did not become ready: {', '.join(sorted(self._waiting))}")
            await asyncio.sleep(_LOOK_SECONDS)


async def measure_starts(folder: Path, rounds: int, starts_of_one: int, at_once: int) -> None:
    """Single starts, starts a second and requests to the API server; in turns, so many rounds.

    Args:
        folder: For the labs.
        rounds: How many of each.
        starts_of_one: Starts one after another in a round.
        at_once: People who start at the same moment in a round.
    """
    people = [f"person-{number}" for number in range(at_once)]
    with running_cluster(NODES, GPUS, audited=True) as cluster, ExitStack() as stack:
        labs = [stack.enter_context(stock_lab(cluster, folder))]
        labs += [stack.enter_context(our_lab(cluster, folder, engine)) for engine in ENGINES]
        starters = [Starter(lab) for lab in labs]
        for starter in starters:
            await starter.add(people)
            with alone(starter.lab, labs):  # homes are made, and imported is what later starts find
                await _all_at_once(starter, people)
        asked_of = AskedOf(cluster.layout.audit_log)
        found = [await _in_turns(starters, people[:starts_of_one], asked_of) for _ in range(rounds)]
        _tell("from POST to ready", "s", [seconds for seconds, _ in found], AIM_TIME, at_most=True)
        _tell("API requests of hub and pool for a start and its stop", "requests", [requests for _, requests in found])
        rates = [await _rates(starters, people) for _ in range(rounds)]
        _tell(f"starts a second, {at_once} people at once", "1/s", rates, AIM_RATE)
        for starter in starters:
            await starter.close()


async def _in_turns(starters: list[Starter], people: list[str], asked_of: AskedOf) -> tuple[Measured, Measured]:
    seconds: dict[str, list[float]] = {}
    requests: dict[str, list[float]] = {}
    for starter in starters:
        kind, labs = starter.lab.kind, [each.lab for each in starters]
        with alone(starter.lab, labs):
            asked_of.forget()
            seconds[kind] = []
            for person in people:
                seconds[kind].append(await starter.start(person))
                await starter.stop([person])
            requests[kind] = [asked_of.by(starter.lab.account) / len(people)]
    return seconds, requests


async def _rates(starters: list[Starter], people: list[str]) -> Measured:
    rates = {}
    for starter in starters:
        with alone(starter.lab, [each.lab for each in starters]):
            rates[starter.lab.kind] = [await _all_at_once(starter, people)]
    return rates


async def _all_at_once(starter: Starter, people: list[str]) -> float:
    began = time.perf_counter()
    await asyncio.gather(*map(starter.start, people))
    seconds = time.perf_counter() - began
    await starter.stop(people)
    return len(people) / seconds


def _tell(what: str, unit: str, rounds: list[Measured], aim: float | None = None, at_most: bool = False) -> None:
    for engine in ENGINES:
        name = f"kubernetes: {what}, engine {engine}, against KubeSpawner"
        tell_ratio(name, unit, _all(rounds, engine), _all(rounds, STOCK), aim, at_most=at_most)


def _all(rounds: list[Measured], kind: str) -> list[float]:
    return [each for found in rounds for each in found[kind]]
