"""What does deciding cost a request? The pool against the bare writing of the same rows: over HTTP, and in-process."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timezone
from itertools import count
from pathlib import Path

import httpx
from labpool.api_models import ServerAsked, SpawnAsked
from labpool.domain.inventory import Inventory
from labpool.domain.reasons import Refusal
from labpool.domain.tickets import EndReason
from labpool.service.changes import Changes
from labpool.service.desk import Desk
from labpool.service.in_line import leave_line
from labpool.service.setting import Setting
from labpool.settings import watched_pool_file
from labpool.store import Store, connect, leadership, migrate

from benchmarks.serving.bare import GRANTED, QUEUED, BareWriter
from benchmarks.serving.hub import ADMIN
from benchmarks.serving.lines import tell_ratio
from benchmarks.serving.places import Places, api_of, client_of, program, started

CLIENTS, TURNS = 16, 5
AIM_HTTP, AIM_IN_PROCESS = 0.4, 0.5
NODES = 64
_LOG = logging.getLogger(__name__)
_numbers = count()


def pool_yaml(nodes: int) -> str:
    """A pool of so many machines with eight GPUs each, of which anybody may have any number."""
    machines = "\n".join(f"    - {{name: n{i}, cpu: 64, memory_gib: 512, devices: {{gpu: 8}}}}" for i in range(nodes))
    return f"""
flavours: {{gpu: {{title: GPU}}}}
simulated:
  nodes:
{machines}
limits: {{user: {{gpus: 1024, servers: 100, queued: 1000}}}}
profiles: {{one: {{title: One GPU, flavour: gpu, gpus: 1, cpu: 1, memory_gib: 1, max_hours: 8}}}}
projects:
  everybody: {{title: Everybody, members: {{everyone: true}}, nominal: {{gpu: {8 * nodes}}}, profiles: [one]}}
"""


async def measure_http(places: Places, database: str, creates: int, turns: int = TURNS) -> None:
    """Requests a second of 16 clients, each of whom sends `creates` one after another."""
    with program("benchmarks.serving.bare", places.new_database(database), places.hub_api_url) as port:
        for kind in (GRANTED, QUEUED):
            pool = places.new_pool(pool_yaml(NODES if kind == GRANTED else 1), places.new_database(database))
            with started(pool):
                ours, bare = await _http_turns(api_of(pool), f"http://127.0.0.1:{port}", kind, creates, turns)
            name = f"api: HTTP create, {kind}, {CLIENTS} clients, against a bare route, {database}"
            tell_ratio(name, "1/s", ours, bare, AIM_HTTP)


async def _http_turns(api: str, bare: str, kind: str, creates: int, turns: int) -> tuple[list[float], list[float]]:
    async with _clients(api) as ours, _clients(bare) as theirs:
        if kind == QUEUED:
            await _fill(ours[0])
        rates: tuple[list[float], list[float]] = ([], [])
        for turn in range(turns + 1):
            own, filed = await _rate(ours, "/tickets", creates if turn else 1)
            other, _ = await _rate(theirs, f"/{kind}", creates if turn else 1)
            await _clear(ours, filed, "leave" if kind == QUEUED else "end")
            if turn:  # the first one only wakes both up
                rates[0].append(own)
                rates[1].append(other)
        return rates


@asynccontextmanager
async def _clients(url: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    clients = [client_of(url, f"user-{number}") for number in range(CLIENTS)]
    yield clients
    for client in clients:
        await client.aclose()


async def _fill(client: httpx.AsyncClient) -> None:
    """Lease all eight GPUs, so that who comes waits."""
    for _ in range(8):
        await create(client, "/tickets")


async def _rate(clients: list[httpx.AsyncClient], path: str, creates: int) -> tuple[float, list[list[str]]]:
    async def send(client: httpx.AsyncClient) -> list[str]:
        return [await create(client, path) for _ in range(creates)]

    began = time.perf_counter()
    filed = await asyncio.gather(*map(send, clients))
    return len(clients) * creates / (time.perf_counter() - began), filed


async def create(client: httpx.AsyncClient, path: str) -> str:
    """Ask for a server that nobody asked for before; give the ticket's id."""
    body = {"name": f"server-{next(_numbers)}", "project": "everybody", "profile": "one", "hours": 1}
    answer = await client.post(path, json=body)
    if answer.status_code != httpx.codes.CREATED:
        raise RuntimeError(f"no ticket was made: {answer.status_code} {answer.text}")
    return str(answer.json()["id"])


async def _clear(clients: list[httpx.AsyncClient], filed: list[list[str]], how: str) -> None:
    """Give back what a turn left, so that each begins alike."""

    async def give_back(client: httpx.AsyncClient, tickets: list[str]) -> None:
        for ticket in tickets:
            (await client.post(f"/tickets/{ticket}/{how}")).raise_for_status()

    await asyncio.gather(*map(give_back, clients, filed))
    async with client_of(str(clients[0].base_url), ADMIN) as admin:
        while True:
            page = (await admin.get("/tickets", params={"state": ["granted", "queued"], "limit": 9})).json()
            if len(page["tickets"]) < 9:
                return
            await asyncio.sleep(0.1)


async def measure_in_process(places: Places, database: str, asks: int, turns: int = TURNS) -> None:
    """Decisions a second with their writing, one after another, against the writing alone."""
    for kind in (GRANTED, QUEUED):
        bare = BareWriter(places.new_database(database))
        file = places.folder / f"{database}-{kind}.yaml"
        with desk(file, places.new_database(database), NODES if kind == GRANTED else 1) as ours:
            for number in range(8 if kind == QUEUED else 0):
                await ours.ask(spawn(number))
            # the first turn only wakes both up
            rates = [(await _decide(ours, asks, kind), _write(bare, asks, kind)) for _ in range(turns + 1)][1:]
        bare.engine.dispose()
        name = f"api: decision with durable write, {kind}, against the transaction alone, {database}"
        tell_ratio(name, "1/s", [own for own, _ in rates], [other for _, other in rates], AIM_IN_PROCESS)


async def _decide(desk: Desk, asks: int, kind: str) -> float:
    began = time.perf_counter()
    answers = [await desk.ask(spawn(number)) for number in range(1000, 1000 + asks)]
    seconds = time.perf_counter() - began
    for answer in answers:
        if isinstance(answer, Refusal):
            raise RuntimeError(f"no ticket was made: {answer}")
        if kind == QUEUED:
            await leave_line(desk, answer.ticket.id, answer.ticket.user)
        else:
            await desk.end(answer.ticket.id, EndReason.STOPPED, answer.ticket.user)
    return asks / seconds


def _write(bare: BareWriter, asks: int, kind: str) -> float:
    began = time.perf_counter()
    for _ in range(asks):
        asked = ServerAsked(name=f"server-{next(_numbers)}", project="everybody", profile="one", hours=1)
        bare.write(kind, "user-0", asked)
    return asks / (time.perf_counter() - began)


def spawn(number: int) -> SpawnAsked:
    """A server that only this number asks for."""
    who = f"user-{number % CLIENTS}"
    return SpawnAsked(user=who, name=f"server-{number}", project="everybody", profile="one", hours=1)


@contextmanager
def desk(file: Path, database: str, nodes: int) -> Iterator[Desk]:
    """A pool's desk without a hub and without a server around it, as its process makes one; `file` is its pool.yaml."""
    file.write_text(pool_yaml(nodes))
    pool_file = watched_pool_file(file).current(_LOG)
    inventory = Inventory(pool_file.simulated_nodes, pool_file.simulated_devices)
    engine = connect(database)
    migrate(engine)
    part = leadership(engine, "the benchmark")
    part.seek()
    store = Store(engine, part)
    gc.freeze()  # as the pool's process does once it has begun
    yield Desk(store, Setting(inventory, pool_file.catalogue), _now, Changes())
    part.give_up()
    store.close()


def _now() -> datetime:
    return datetime.now(timezone.utc)
