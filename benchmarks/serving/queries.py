"""How soon does a pool with a long past answer? Its pages, its lists and its usage, one request at a time."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from http.client import TOO_MANY_REQUESTS

from labpool.service.app import PREFIX

from benchmarks.serving.creating import pool_yaml
from benchmarks.serving.history import History, now, projects_yaml, size_mib
from benchmarks.serving.hub import ADMIN
from benchmarks.serving.lines import percentile, tell
from benchmarks.serving.places import Places, client_of, started
from tests.service.pool_process import PoolProcess

AIM_SECONDS = 0.150
NODES, USERS = 8, 1_000
YEARS = timedelta(days=730)


async def measure_queries(places: Places, database: str, leases: int, asks: int) -> None:
    """The 99th percentile of each question, and what the database takes on disk."""
    url = places.new_database(database)
    until = now()
    History(leases, USERS, YEARS, until).write(url)
    at = f"{leases:,} leases, {database}"
    size = size_mib(url)
    tell(f"api: size on disk, {at}", "MiB", size, [size])
    with started(places.new_pool(_with_projects(pool_yaml(NODES)), url)) as pool:
        since = (until - YEARS).date().isoformat()
        for name, user, path in _questions(since):
            seconds = await _ask(pool, user, path, asks)
            aim = AIM_SECONDS if database == "PostgreSQL" else None
            tell(f"api: {name}, p99, {at}", "s", percentile(seconds, 0.99), seconds, aim)


def _questions(since: str) -> tuple[tuple[str, str, str], ...]:
    """What is asked, by whom and where. The first two are a member's, of whose runs there are some hundred."""
    api, member, owner = f"{PREFIX}/api/v1", "user-500", "user-1"
    return (
        ("page of my tickets", member, f"{PREFIX}/"),
        ("page of one ticket that has ended", member, ""),
        ("list of tickets of mine and my projects", member, f"{api}/tickets"),
        ("list of all tickets", ADMIN, f"{api}/tickets"),
        ("list of tickets of one project", ADMIN, f"{api}/tickets?project=project-3"),
        ("list of tickets that wait", ADMIN, f"{api}/tickets?state=queued"),
        ("usage of mine this month", member, f"{api}/usage"),
        ("usage by project this month", ADMIN, f"{api}/usage"),
        ("usage by user this month", ADMIN, f"{api}/usage?by=user"),
        ("usage by month of two years, mine", member, f"{api}/usage?by=month&from={since}"),
        ("usage by user of two years, my project's", owner, f"{api}/usage?by=user&from={since}"),
        ("usage by project of two years", ADMIN, f"{api}/usage?from={since}"),
        ("usage by user of two years", ADMIN, f"{api}/usage?by=user&from={since}"),
        ("usage by month of two years", ADMIN, f"{api}/usage?by=month&from={since}"),
    )


async def _ask(pool: PoolProcess, user: str, path: str, asks: int) -> list[float]:
    root = f"http://127.0.0.1:{pool.port}"
    async with client_of(root, user) as client:
        if not path:
            mine = (await client.get(f"{PREFIX}/")).text
            path = mine[mine.index(f"{PREFIX}/tickets/") :].partition('"')[0]
        seconds: list[float] = []
        while len(seconds) <= asks:
            began = time.perf_counter()
            answer = await client.get(path)
            if answer.status_code == TOO_MANY_REQUESTS:  # asked faster than one person may
                await asyncio.sleep(int(answer.headers["Retry-After"]))
                continue
            answer.raise_for_status()
            seconds.append(time.perf_counter() - began)
    return seconds[1:]  # the first one asks the hub whose token it is


def _with_projects(yaml: str) -> str:
    before, _ = yaml.split("projects:")
    return f"{before}projects:\n{projects_yaml(USERS)}\n"
