"""A thousand people watch the pages of their waiting tickets: how soon is who is granted told, and what does it cost?

Leases are given back a few at a time. The time runs from the grant, as the lease says when it began, until the next
holder's stream tells of it; deciding, writing and telling lie in between.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
from labpool.domain.tickets import Ticket
from labpool.store import AuditEntry, Store, connect, migrate

from benchmarks.serving.creating import pool_yaml
from benchmarks.serving.hub import ADMIN, TOKEN_OF
from benchmarks.serving.lines import percentile, tell
from benchmarks.serving.places import Places, api_of, client_of, started
from tests.service.pool_process import PoolProcess

AIM_SECONDS = 1.0
HOLDERS, AT_ONCE = 8, 4
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
    url = places.new_database(database)
    everybody = _file(url, HOLDERS + streams)
    holders, waiting = everybody[:HOLDERS], everybody[HOLDERS:]
    pool = places.new_pool(pool_yaml(nodes=1), url)
    with started(pool):
        await _planned(pool)
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


def _file(url: str, people: int) -> list[_Stream]:
    """One ticket for each, in this order, filed while no pool ran."""
    engine = connect(url)
    migrate(engine)
    store, now = Store(engine), datetime.now(timezone.utc)
    streams = [_Stream(f"{number:016x}", f"person-{number}") for number in range(people)]
    with store.transaction() as change:
        for number, each in enumerate(streams):
            what = ("mine", "everybody", "one", "gpu", 1, timedelta(hours=1), now - timedelta(seconds=people - number))
            change.save_ticket(Ticket(each.ticket, each.user, frozenset(), *what))
            change.audit(AuditEntry(now, each.user, "filed", each.ticket, "queued, attempt 1"))
    store.close()
    return streams


async def _planned(pool: PoolProcess) -> None:
    """Wait until all GPUs are leased and who waits has a place."""
    async with client_of(api_of(pool), ADMIN) as admin:
        while (await admin.get("/pool")).json()["flavours"][0]["free"]:
            await asyncio.sleep(0.2)


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
