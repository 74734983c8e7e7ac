"""What does labpool cost on a cluster, and how does it stand a large one?

(spawn) The hub with stock KubeSpawner against ours with each engine, on the same API server with GPUs free: from the
POST to ready, starts a second when all come at once, and requests to the API server. (cpu) Servers without GPUs while
five people quarrel over four GPUs, against an empty cluster. (large) 1,000 nodes with 8,000 GPUs and 5,000 tickets:
from a release to the next start, with Kueue's own part apart, and the pool's memory. The control plane, the scheduler
and Kueue are real; nodes are KWOK's, servers of `spawn` and `cpu` are processes of this machine, and those of `large`
are pods without any.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.on_cluster.beside import measure_beside
from benchmarks.on_cluster.large import LargeSize, measure_large
from benchmarks.on_cluster.starts import measure_starts
from tests.kubernetes import programs


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int = 5
    starts_of_one: int = 4
    at_once: int = 20
    beside: int = 5
    large: LargeSize = field(default_factory=LargeSize)


USUAL = Size()
FULL = Size(rounds=10, starts_of_one=10, at_once=30, beside=15, large=LargeSize(releases=200))
PARTS = ("spawn", "cpu", "large")


def main() -> None:
    """Measure and print one line for each question."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--full", action="store_true", help="more rounds, which takes half an hour")
    arguments.add_argument("--only", choices=PARTS, help="only this part")
    given = arguments.parse_args()
    if not programs.are_built():
        sys.exit("There are no programs of a cluster here. Build them once with `make cluster-tools`.")
    asyncio.run(measure(FULL if given.full else USUAL, (given.only,) if given.only else PARTS))


async def measure(size: Size, parts: tuple[str, ...] = PARTS) -> None:
    """All parts."""
    with tempfile.TemporaryDirectory(prefix="labpool-bench-") as folder:
        for part in parts:
            await _measure(part, Path(folder), size)


async def _measure(part: str, folder: Path, size: Size) -> None:
    place = folder / part
    place.mkdir()
    match part:
        case "spawn":
            await measure_starts(place, size.rounds, size.starts_of_one, size.at_once)
        case "cpu":
            await measure_beside(place, size.rounds, size.beside)
        case "large":
            await measure_large(place, size.large)


if __name__ == "__main__":
    main()
