"""What does the pool's service cost, and how does it stand a thousand watchers, a long queue and a long past?

(a) A request over HTTP against a bare FastAPI route that writes the same rows, and a decision in this process against
that writing alone. (b) A thousand live event streams. (c) A restart with 10,000 open tickets. (d) Pages and usage of
a pool of 1,000 people after two years: 200,000 leases, with --full 2 million. All over both databases, SQLite with
synchronous=FULL and a PostgreSQL of this benchmark's own that waits for the disk at each commit. Pools are real
processes; the hub is a stand-in (benchmarks/serving/hub.py), which the bare route asks as the pool does.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.serving.creating import measure_http, measure_in_process
from benchmarks.serving.places import DATABASES, Places, program
from benchmarks.serving.queries import measure_queries
from benchmarks.serving.restart import measure_restarts
from benchmarks.serving.streams import measure_streams
from tests.postgres import running_postgres


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    creates: int = 15
    asks: int = 100
    turns: int = 5
    streams: int = 1_000
    grant_rounds: int = 10
    open_tickets: int = 10_000
    restarts: int = 5
    leases: int = 200_000
    queries: int = 100


USUAL, FULL = Size(), Size(grant_rounds=25, leases=2_000_000)
PARTS = ("create", "decide", "streams", "restart", "past")


def main() -> None:
    """Measure and print one line for each question."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--full", action="store_true", help="2 million leases instead of 200,000, and more grants")
    arguments.add_argument("--only", choices=PARTS, help="only this part")
    given = arguments.parse_args()
    asyncio.run(measure(FULL if given.full else USUAL, (given.only,) if given.only else PARTS))


async def measure(size: Size, parts: tuple[str, ...] = PARTS, databases: tuple[str, ...] = DATABASES) -> None:
    """All parts over all databases."""
    with (
        tempfile.TemporaryDirectory(prefix="labpool-bench-") as folder,
        running_postgres(durable=True) as postgres,
        program("benchmarks.serving.hub") as port,
    ):
        places = Places(Path(folder), postgres, f"http://127.0.0.1:{port}/hub/api")
        for part in parts:
            for database in databases:
                await _measure(part, places, database, size)


async def _measure(part: str, places: Places, database: str, size: Size) -> None:
    match part:
        case "create":
            await measure_http(places, database, size.creates, size.turns)
        case "decide":
            await measure_in_process(places, database, size.asks, size.turns)
        case "streams":
            await measure_streams(places, database, size.streams, size.grant_rounds)
        case "restart":
            await measure_restarts(places, database, size.open_tickets, size.restarts)
        case "past":
            await measure_queries(places, database, size.leases, size.queries)


if __name__ == "__main__":
    main()
