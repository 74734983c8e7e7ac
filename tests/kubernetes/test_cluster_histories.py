"""All invariants over histories of the whole service on a real cluster, as its store and the cluster tell them.

Each engine gets 5 histories of 15 steps, beside each other; `make soak` adds 100. After each step nothing may be under
way any more, and store and cluster say the same.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from labpool.cluster.api import connected
from labpool.service import starter
from labpool.store import connect, migrate
from sqlalchemy import Engine

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.cluster_history import ClusterHistory, steps_of
from tests.kubernetes.history_lab import HistoryLab, lab_of
from tests.seeds import seed_of
from tests.service.pool_history import emptied

pytestmark = [pytest.mark.kubernetes, pytest.mark.once]

SEED = "LABPOOL_HISTORIES_SEED"
"""Environment variable: what all histories are drawn from, to play a failed one again."""
STEPS, AT_ONCE = 15, 5


def play(lab: HistoryLab, database: Engine, seed: str, number: int) -> None:
    """Play one history, drawn from the seed."""
    emptied(database)
    steps = steps_of(lab.engine, Random(f"{seed}/{number}"), STEPS)
    try:
        asyncio.run(ClusterHistory(database, lab).play(steps))
    except Exception as error:
        raise AssertionError(f"history {number} of {SEED}={seed} over {lab.engine}, {steps}: {error}") from error


async def connect_once() -> None:
    """Let the client write down the cluster's certificates: one of several threads might find a file half written."""
    async with connected():
        pass


def new_database(folder: Path) -> Engine:
    """A store of the pool's."""
    database = connect(f"sqlite:///{folder}/pool.sqlite")
    migrate(database)
    return database


@pytest.mark.parametrize("engine", ["kueue", "kubernetes"])
@pytest.mark.parametrize("count", [5, pytest.param(100, marks=pytest.mark.soak)])
def test_over_a_cluster_no_invariant_is_broken_and_nothing_left_behind(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, count: int
):
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setattr(starter, "BETWEEN_TRIES", 0.0)
    asyncio.run(connect_once())
    seed = seed_of(SEED)
    with ExitStack() as ends:
        parts = []
        for number in range(AT_ONCE):
            folder = tmp_path / f"{number}"
            folder.mkdir()
            lab = ends.enter_context(lab_of(cluster, engine, f"history-{engine}-{number}", folder))
            parts.append((lab, new_database(folder)))
            ends.callback(parts[-1][1].dispose)
        with ThreadPoolExecutor(AT_ONCE) as threads:
            turns = [
                threads.submit(_play_all, *part, seed, range(slot, count, AT_ONCE)) for slot, part in enumerate(parts)
            ]
            for each in turns:
                each.result()


def _play_all(lab: HistoryLab, database: Engine, seed: str, numbers: range) -> None:
    for number in numbers:
        play(lab, database, seed, number)
