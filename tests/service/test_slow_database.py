"""A pool whose database takes a second for each query: it answers or says why not, and forgets nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.ports import free_ports
from tests.postgres import RunningPostgres
from tests.real_hub import is_healthy, wait_until
from tests.service.pool_process import PoolProcess
from tests.service.slowed import SlowWay, slow_way

pytestmark = [pytest.mark.postgresql, pytest.mark.long]

A_QUERY_SECONDS = 1.0
WHO_ASK = [f"user{number}" for number in range(6)]


@pytest.fixture
def way(postgres: RunningPostgres) -> Iterator[SlowWay]:
    with slow_way(postgres.port) as way:
        yield way


@pytest.fixture
def pool(tmp_path: Path, postgres: RunningPostgres, way: SlowWay) -> Iterator[PoolProcess]:
    """A pool that reaches its database on the slow way only."""
    (port,) = free_ports(1)
    url = postgres.new_database().replace(f":{postgres.port}/", f":{way.port}/")
    pool = PoolProcess(tmp_path, port, url)
    try:
        pool.start()
        yield pool
    finally:
        way.seconds = 0
        pool.end()


def test_slow_database_is_told_and_nothing_answered_is_lost(pool: PoolProcess, way: SlowWay):
    held = pool.ask("ada").json()["ticket"]
    process, way.seconds = pool.process.pid, A_QUERY_SECONDS
    with ThreadPoolExecutor(len(WHO_ASK)) as threads:
        asked = {user: threads.submit(pool.ask, user) for user in WHO_ASK}
        while not all(each.done() for each in asked.values()):
            assert is_healthy(f"{pool.url}/healthz")  # within two seconds, however slow the database is
    answers = {user: each.result() for user, each in asked.items()}
    kept = {user: answer.json()["ticket"] for user, answer in answers.items() if answer.is_success}
    refused = [answer for answer in answers.values() if not answer.is_success]
    assert refused, "a second for each query was not too slow for six at once"
    for answer in refused:
        assert_told(answer)
    way.seconds = 0
    wait_until(lambda: pool.ask("zoe").is_success, "an answer at the usual speed")
    for user, ticket in {"ada": held, **kept}.items():
        assert [each.id for each in pool.home(user).tickets] == [ticket]
    assert (pool.process.poll(), pool.process.pid, pool.role()) == (None, process, "leader")


def assert_told(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["reason"]) == (503, "database_slow"), answer.text
    assert "it was not written down" in answer.json()["detail"]
    assert int(answer.headers["Retry-After"]) > 0
