"""How long is the pool away? From the start of its process, with 10,000 open tickets, to its answer to a new one.

Tickets, places and leases are those of benchmarks/plan.py: 100 machines of 8 flavours, all leased, and 500 users in 50
projects who wait.
"""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import httpx
from labpool.domain.leases import Lease, Slot
from labpool.domain.tickets import State, Ticket
from labpool.store import AuditEntry, Store, connect, migrate

from benchmarks import plan
from benchmarks.serving.lines import tell
from benchmarks.serving.places import Places, api_of, client_of, started
from tests.service.pool_process import PoolProcess

AIM_SECONDS = 3.0
NODES = 100  # no more can be simulated


async def measure_restarts(places: Places, database: str, tickets: int, times: int) -> None:
    """The median of so many, each after the pool was told to end, and of as many after a kill -9.

    On PostgreSQL the latter includes the seconds for which a leader that is silent may not be replaced.
    """
    url = places.new_database(database)
    made_up = _MadeUp(tickets)
    made_up.write(url)
    await made_up.tell_hub(places.hub_api_url)
    pool = places.new_pool(_pool_yaml(), url)
    for how, aim in (("restart", AIM_SECONDS), ("start after kill -9", None)):
        ends = signal.SIGTERM if aim else signal.SIGKILL
        seconds = [await _seconds_to_decision(pool, f"{ends.name}-{number}", ends) for number in range(times + 1)][1:]
        name = f"api: {how} with {tickets:,} open tickets to the first decision, {database}"
        tell(name, "s", sorted(seconds)[len(seconds) // 2], seconds, aim)


async def _seconds_to_decision(pool: PoolProcess, user: str, ends: signal.Signals) -> float:
    """How long a start takes; `ends` is how it then ends."""
    began = time.perf_counter()
    with started(pool):
        async with client_of(api_of(pool), user) as client:
            asked = {"name": "mine", "project": "p0", "profile": "f0-1", "hours": 1}
            (await client.post("/tickets", json=asked)).raise_for_status()
        seconds = time.perf_counter() - began
        pool.send(ends)
        pool.process.wait()
        return seconds


class _MadeUp:
    """What the planner's benchmark makes up, moved to now, as the store keeps it."""

    def __init__(self, tickets: int) -> None:
        pool = plan.Pool(tickets, seed=1, machines=NODES)
        self._now = datetime.now(timezone.utc)
        self._later = self._now - pool.now
        self._tickets = [self._moved(ticket) for ticket in pool.tickets.values()]
        self._leases = [self._lease(lease) for lease in pool.leases.values()]
        self._slots = [Slot(s.ticket, s.node, s.start + self._later, s.end + self._later) for s in pool.slots.values()]

    def write(self, url: str) -> None:
        """Fill an empty database with it by the store's own ways."""
        engine = connect(url)
        migrate(engine)
        store = Store(engine)
        with store.transaction() as change:
            for ticket in self._tickets:
                change.save_ticket(ticket)
                change.audit(AuditEntry(ticket.requested_at, ticket.user, "filed", ticket.id, "queued, attempt 1"))
            for lease in self._leases:
                change.save_lease(lease)
            change.replace_slots(self._slots)
        store.close()

    async def tell_hub(self, api: str) -> None:
        """Let the hub know of the servers that have leases."""
        async with httpx.AsyncClient(trust_env=False) as client:
            for ticket in self._tickets:
                if ticket.state is not State.QUEUED:
                    path = f"{api}/users/{ticket.user}/servers/{ticket.name}"
                    await client.post(path, json={"user_options": {"profile": ticket.profile}})

    def _moved(self, ticket: Ticket) -> Ticket:
        holds = ticket.state is not State.QUEUED
        return replace(
            ticket,
            state=State.GRANTED if holds else ticket.state,  # granted and not yet used: it needs no process
            profile=f"{ticket.flavour}-{ticket.gpus}",
            requested_at=ticket.requested_at + self._later,
            starts_by=ticket.starts_by + self._later if ticket.starts_by else None,
        )

    def _lease(self, lease: Lease) -> Lease:
        devices = (device.split("-") for device in lease.devices)
        ids = tuple(f"sim:{node}:{lease.flavour}:{number}" for node, number in devices)
        starts, ends = lease.starts + self._later, max(lease.ends + self._later, self._now + timedelta(hours=1))
        return replace(lease, devices=ids, starts=starts, ends=ends, ready_at=self._now)


def _pool_yaml() -> str:
    flavours = [f"f{number}" for number in range(plan.FLAVOURS)]
    machines = "\n".join(
        f"    - {{name: n{i:03}, cpu: 64, memory_gib: 512, devices: {{f{i % plan.FLAVOURS}: {plan.ON_NODE}}}}}"
        for i in range(NODES)
    )
    profiles = {f"{flavour}-{gpus}": (flavour, gpus) for flavour in flavours for gpus, _ in plan.SIZES}
    shown = "\n".join(
        f"  {name}: {{title: {name}, flavour: {flavour}, gpus: {gpus}, cpu: 1, memory_gib: 1, max_hours: 24}}"
        for name, (flavour, gpus) in profiles.items()
    )
    borrowed = ", ".join(f"{flavour}: {plan.BORROW}" for flavour in flavours)
    projects = "\n".join(
        f"  p{i}: {{title: P{i}, members: {{everyone: true}}, "
        f"nominal: {{f{i % plan.FLAVOURS}: {8 * NODES // plan.PROJECTS - 2}}}, "
        f"borrow: {{{borrowed}}}, profiles: [{', '.join(profiles)}], "
        f"budget: {{gpu_hours: {plan.GPU_HOURS_A_MONTH}}}}}"
        for i in range(plan.PROJECTS)
    )
    named = "\n".join(f"  {flavour}: {{title: {flavour}}}" for flavour in flavours)
    limits = f"limits: {{user: {{gpus: {plan.MOST}, servers: 100, queued: 1000}}}}"
    head = f"flavours:\n{named}\nsimulated:\n  nodes:\n{machines}\n{limits}\n"
    return f"{head}profiles:\n{shown}\nprojects:\n{projects}\n"
