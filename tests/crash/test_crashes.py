"""kill -9 of a pool that is asked for all it can do, at random moments and around the commits of its decisions."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import pytest
from labpool.engines import WorkstationEngine
from labpool.engines.proc import ProcessTable
from labpool.service.setting import Setting
from labpool.settings import complete_catalogue, load_pool_file

from tests.crash.acknowledged import Acknowledged, Asked
from tests.crash.crowd import PEOPLE, Callers, Person
from tests.crash.failpoints import Decision, Failpoint, Where
from tests.crash.forked_pool import ForkedPool
from tests.crash.soundness import MOST_GPUS, MOST_QUEUED, check
from tests.ports import free_ports
from tests.real_hub import Service, running_hub
from tests.seeds import seed_of
from tests.service.actors import ACCESS, READ, WRITE
from tests.service.pool_process import PoolProcess
from tests.service.running_pool import POOL_TOKEN, hub_config

pytestmark = [pytest.mark.hub, pytest.mark.long]

SEED = "LABPOOL_CRASH_SEED"
"""Environment variable: what all that is drawn is drawn from, to play a failed test again."""
AT_ONCE = 3
LONGEST_SECONDS = 2.5
SURE = tuple(Failpoint(where, Decision.LEASE) for where in Where)
"""The first decision on a lease: all who ask come to it."""
SURE_SECONDS = 60
POOL_YAML = f"""
engine: workstation
flavours: {{demo-gpu: {{title: Demo GPU, gpu_memory_gib: 16}}}}
simulated: {{nodes: [{{name: demo, cpu: 16, memory_gib: 64, devices: {{demo-gpu: 4}}}}]}}
limits: {{user: {{gpus: {MOST_GPUS}, servers: 5, queued: {MOST_QUEUED}}}}}
profiles:
  gpu-1: {{title: One GPU, flavour: demo-gpu, gpus: 1, cpu: 2, memory_gib: 4, max_hours: 8, preset: single}}
  gpu-2: {{title: Two GPUs, flavour: demo-gpu, gpus: 2, cpu: 4, memory_gib: 8, max_hours: 8, preset: mirrored}}
projects:
  vision:
    title: Vision group
    members: {{everyone: true}}
    nominal: {{demo-gpu: 2}}
    borrow: {{demo-gpu: 2}}
    budget: {{gpu_hours: 30, per: month}}
    profiles: [gpu-1, gpu-2]
  speech:
    title: Speech group
    members: {{everyone: true}}
    nominal: {{demo-gpu: 2}}
    borrow: {{demo-gpu: 1}}
    budget: {{gpu_hours: 300, per: week}}
    profiles: [gpu-1, gpu-2]
queue: {{reconcile_seconds: 0.3, claim_minutes: 0.05, wait_before_taking_minutes: 600}}
"""


@dataclass
class Crashes:
    """One pool, killed again and again, and what it has answered in all that time."""

    pool: ForkedPool
    callers: Callers
    seed: str
    known: Acknowledged = field(default_factory=Acknowledged)
    came_to: Counter[tuple[Where, Decision]] = field(default_factory=Counter)
    """How often the pool killed itself where."""

    def round(self, number: int) -> None:
        """Start the pool, ask it for all sorts of things until it dies, and look what it left."""
        random = Random(f"{self.seed}/{number}")
        failpoint = Failpoint.drawn(random) if random.random() < 0.7 else None
        survives = LONGEST_SECONDS if failpoint else random.uniform(0, 1)
        if number < len(SURE):  # whatever is drawn, these are come to
            failpoint, survives = SURE[number], SURE_SECONDS
        said = f"round {number} of {SEED}={self.seed}, killed {failpoint or f'after {survives:.2f} s'}"
        try:
            self.pool.start(failpoint)
            self._crowd(f"{self.seed}/{number}", survives)
            if failpoint and self.pool.killed_itself:
                self.came_to[failpoint.where, failpoint.decision] += 1
            pool = self.pool.pool
            check(pool.database, pool.place().audit_heads, self._setting(), self.known)
        except Exception as error:
            raise AssertionError(f"{said}: {error}") from error

    def _crowd(self, seed: str, survives: float) -> None:
        before, self.known.unanswered = self.known.unanswered, []
        with ThreadPoolExecutor(AT_ONCE) as threads:
            busy = [
                threads.submit(self._go_on, f"{seed}/{number}", before[number::AT_ONCE]) for number in range(AT_ONCE)
            ]
            self.pool.wait(survives)
            self.pool.kill()
        for each in busy:
            each.result()

    def _go_on(self, name: str, unanswered: list[Asked]) -> None:
        """Repeat what had no answer, then do one thing after another until there is no answer any more."""
        with httpx.Client(timeout=30, trust_env=False) as http, suppress(httpx.TransportError):
            person = Person(self.callers, Random(name), name, self.known, http)
            for asked in unanswered:  # kept or not: it is the same one from now on
                ticket = person.ask_again(asked)
                assert ticket in {None, person.ask_again(asked)}
            while True:
                person.do_something()

    def _setting(self) -> Setting:
        pool_file = load_pool_file(self.pool.pool.folder / "pool.yaml")
        place = self.pool.pool.place()
        inventory = asyncio.run(WorkstationEngine(pool_file, place, place.pool_id).inventory())
        return Setting(inventory, complete_catalogue(pool_file.catalogue, inventory))


@pytest.fixture
def crashes(database_url: str, tmp_path: Path) -> Iterator[Crashes]:
    """A pool before a real hub, which starts small servers."""
    (port,) = free_ports(1)
    pool = PoolProcess(tmp_path, port, database_url, hub_token=POOL_TOKEN, pool_yaml=POOL_YAML)
    service, place = Service("pool", "/services/pool/", port, POOL_TOKEN), pool.place()
    pool.environment()  # writes pool.yaml, which the hub reads too
    config = hub_config(pool.url, place, tmp_path / "pool.yaml")
    config += f"c.SimpleLocalGPUSpawner.pool_token = {place.secret('spawner_token')!r}\n"
    with ExitStack() as ends:
        ends.callback(_end_servers, place.pool_id)
        hub = ends.enter_context(running_hub(tmp_path, [service], {user: ["researchers"] for user in PEOPLE}, config))
        pool.hub_api_url = hub.api_url
        tokens = {user: hub.token_for(user, [ACCESS, READ, WRITE]) for user in PEOPLE}
        tokens |= {"admin": hub.admin_token, "spawner": place.secret("spawner_token")}
        seed = seed_of(SEED)
        crashes = Crashes(ForkedPool(pool), Callers(pool.url, tokens, place.secret("ticket_key")), seed)
        ends.callback(crashes.pool.kill)
        yield crashes


def _end_servers(pool_id: str) -> None:
    for pids in ProcessTable(pool_id).by_ticket().values():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_killed_pool_keeps_what_it_answered_and_leaves_nothing_half_done(crashes: Crashes):
    for number in range(20):
        crashes.round(number)
    assert crashes.known.events, "nothing was done in all that time"
    assert {where for where, _ in crashes.came_to} == {*Where}, crashes.came_to


@pytest.mark.soak
def test_pool_killed_a_thousand_times_keeps_what_it_answered(crashes: Crashes):
    for number in range(1000):
        crashes.round(number)
    assert {*crashes.came_to} == {(where, decision) for where in Where for decision in Decision}
