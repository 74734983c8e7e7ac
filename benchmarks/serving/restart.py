"""How long is the pool away? From the start of its process, with 10,000 open tickets, to its answer to a new one."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta, timezone

import httpx
from labpool.domain.tickets import Ticket
from labpool.store import Store, connect, migrate
from labpool.store.records import AuditEntry

from benchmarks.serving.creating import create, pool_yaml
from benchmarks.serving.lines import tell
from benchmarks.serving.places import Places, api_of, client_of, started
from tests.service.pool_process import PoolProcess

AIM_SECONDS = 3.0
NODES, USERS = 125, 500


async def measure_restarts(places: Places, database: str, tickets: int, times: int) -> None:
    """The median of so many, each after a kill -9. The first start of all, which plans every ticket, is not counted."""
    url = places.new_database(database)
    _fill(url, tickets)
    pool = places.new_pool(pool_yaml(NODES), url)
    await _seconds_to_decision(pool, 0)
    seconds = [await _seconds_to_decision(pool, number + 1) for number in range(times)]
    name = f"api: restart with {tickets:,} open tickets to the first decision, {database}"
    tell(name, "s", sorted(seconds)[len(seconds) // 2], seconds, AIM_SECONDS)


async def _seconds_to_decision(pool: PoolProcess, number: int) -> float:
    began = time.perf_counter()
    with started(pool):
        async with client_of(api_of(pool), f"user-{number}") as client:
            await create(client, "/tickets")
            seconds = time.perf_counter() - began
            await _planned(client)
    return seconds


def _fill(url: str, tickets: int) -> None:
    """Tickets that came while the pool could grant nothing; it grants and plans them when it starts."""
    engine = connect(url)
    migrate(engine)
    store, now = Store(engine), datetime.now(timezone.utc)
    with store.transaction() as change:
        for number in range(tickets):
            user = f"user-{number % USERS}"
            hours, asked = timedelta(hours=1 + number % 8), now - timedelta(seconds=tickets - number)
            what = (f"ticket-{number}", "everybody", "one", "gpu", 1, hours, asked)
            ticket = Ticket(f"{number:016x}", user, frozenset(), *what)
            change.save_ticket(ticket)
            change.audit(AuditEntry(asked, user, "filed", ticket.id, "queued, attempt 1"))
    store.close()


async def _planned(client: httpx.AsyncClient) -> None:
    """Wait until the hub was asked and all that can be granted is."""
    while not (await client.get("/tickets", params={"state": "granted", "limit": 1})).json()["tickets"]:
        await asyncio.sleep(0.2)
