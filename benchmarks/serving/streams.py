"""A thousand people watch the pages of their waiting tickets: how soon is who is granted told, and what does it cost?

Leases are given back a few at a time. The time runs from the grant, as the lease says when it began, until the next
holder's stream tells of it; deciding, writing and telling lie in between.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx

from benchmarks.serving.creating import create, pool_yaml
from benchmarks.serving.hub import ADMIN, TOKEN_OF
from benchmarks.serving.lines import percentile, tell
from benchmarks.serving.places import Places, api_of, client_of, started
from tests.service.pool_process import PoolProcess

AIM_SECONDS = 1.0
NODES, AT_ONCE = 1, 4
_QUIET_SECONDS = 1.0
_GRANTED = b'data-state="granted"'


@dataclass
class _Stream:
    """One person's event stream, and when (in seconds since 1970) it first told of the grant."""

    ticket: str
    user: str
    told: asyncio.Event = field(default_factory=asyncio.Event)
    granted: asyncio.Event = field(default_factory=asyncio.Event)
    granted_at: float = 0.0

    async def follow(self, pool: PoolProcess) -> None:
        """Read until cancelled. A plain socket: what is measured is the pool, not a client library."""
        reader, writer = await asyncio.open_connection("127.0.0.1", pool.port)
        head = f"GET /services/pool/tickets/{self.ticket}/events HTTP/1.1\r\nHost: pool\r\n"
        writer.write(f"{head}Authorization: Bearer {TOKEN_OF}{self.user}\r\n\r\n".encode())
        try:
            while line := await reader.readline():
                self._look_at(line)
        finally:
            writer.close()

    def _look_at(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        self.told.set()
        if _GRANTED in line and not self.granted.is_set():
            self.granted_at = time.time()
            self.granted.set()


async def measure_streams(places: Places, database: str, streams: int, rounds: int) -> None:
    """Memory of so many streams, and the time from grant to event of four grants a round."""
    pool = places.new_pool(pool_yaml(NODES), places.new_database(database))
    with started(pool):
        holders = await _file(pool, [f"holder-{number}" for number in range(8 * NODES)])
        waiting = await _file(pool, [f"person-{number}" for number in range(streams)])
        idle = _resident_mib(pool)
        following = [asyncio.create_task(each.follow(pool)) for each in waiting]
        await asyncio.gather(*(each.told.wait() for each in waiting))
        taken = _resident_mib(pool) - idle
        seconds = await _grants(pool, holders, waiting, rounds)
        for task in following:
            task.cancel()
    tell(f"api: memory of {streams:,} event streams, {database}", "MiB", taken, [taken])
    name = f"api: from grant to event, p99, {streams:,} event streams, {database}"
    tell(name, "s", percentile(seconds, 0.99), seconds, AIM_SECONDS)


async def _file(pool: PoolProcess, users: list[str]) -> list[_Stream]:
    """One ticket for each user, in this order."""
    waiting: list[_Stream] = []
    for user in users:
        async with client_of(api_of(pool), user) as client:
            waiting.append(_Stream(await create(client, "/tickets"), user))
    return waiting


async def _grants(pool: PoolProcess, holders: list[_Stream], waiting: list[_Stream], rounds: int) -> list[float]:
    """Seconds from each grant to its event. The first in line get what the oldest holders give back."""
    seconds: list[float] = []
    line = iter(waiting)
    async with client_of(api_of(pool), ADMIN) as admin:
        for _ in range(rounds):
            ending, holders = holders[:AT_ONCE], holders[AT_ONCE:]
            next_ones = [next(line) for _ in ending]
            for each in ending:
                (await admin.post(f"/tickets/{each.ticket}/end")).raise_for_status()
            await asyncio.gather(*(each.granted.wait() for each in next_ones))
            seconds += [each.granted_at - await _granted(admin, each.ticket) for each in next_ones]
            holders += next_ones
            await asyncio.sleep(_QUIET_SECONDS)
    return seconds


async def _granted(admin: httpx.AsyncClient, ticket: str) -> float:
    view = (await admin.get(f"/tickets/{ticket}")).json()
    return datetime.fromisoformat(view["lease"]["starts"].replace("Z", "+00:00")).timestamp()


def _resident_mib(pool: PoolProcess) -> float:
    status = Path(f"/proc/{pool.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
