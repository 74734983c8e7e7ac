"""Do servers without GPUs start as fast while five people quarrel over four GPUs as on an empty cluster?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from labpool.client import SyncPoolClient

from benchmarks.on_cluster.labs import namespace_of, our_lab
from benchmarks.on_cluster.starts import Starter
from benchmarks.serving.lines import tell_ratio
from tests.kubernetes.cluster import running_cluster
from tests.kubernetes.crowd import GPUS, PEOPLE, Crowd, pool_yaml
from tests.real_hub import wait_until
from tests.running_lab import RunningLab

AIM = 1.2
ENGINE = "kueue"
SECONDS = (5, 10)
"""What the five ask for: a new start somewhere every two seconds."""
CPU = {"project": "vision", "profile": "cpu", "hours": 1}


async def measure_beside(folder: Path, rounds: int, starts: int) -> None:
    """From POST to ready; in turns with the crowd and without, so many rounds with so many starts each."""
    people = [f"reader-{number}" for number in range(starts)]
    rules = pool_yaml(ENGINE, namespace_of(ENGINE))
    with running_cluster() as cluster, our_lab(cluster, folder, ENGINE, rules) as made:
        starter = Starter(made)
        await starter.add([*PEOPLE, "admin", *people])
        await _starts(starter, people)  # homes are made, and imported is what later starts find
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(rounds):
            alone += await _starts(starter, people)
            with _crowd(made.lab):
                beside += await _starts(starter, people)
            await asyncio.to_thread(made.wait_until_nothing_is_left)
        await starter.close()
    name = f"kubernetes: CPU server from POST to ready, 5 people at 4 GPUs meanwhile, engine {ENGINE}, against none"
    tell_ratio(name, "s", beside, alone, AIM, at_most=True)


async def _starts(starter: Starter, people: list[str]) -> list[float]:
    seconds = []
    for person in people:
        seconds.append(await starter.start(person, CPU))
        await asyncio.to_thread(starter.lab.lab.stop_server, person)
    return seconds


@contextmanager
def _crowd(lab: RunningLab) -> Iterator[None]:
    """Five people who go on asking, from the moment when all GPUs are leased."""
    crowd, over = Crowd(lab, SECONDS), False
    with ThreadPoolExecutor(len(PEOPLE)) as threads:
        busy = [threads.submit(crowd.person, person, lambda: not over) for person in PEOPLE]
        try:
            with SyncPoolClient(lab.ports.pool_url, lab.token_for("admin")) as admin:
                wait_until(lambda: crowd.leased(admin) == GPUS, "the lease of all GPUs", 60)
            yield
        finally:
            over = True
    for each in busy:
        each.result()
