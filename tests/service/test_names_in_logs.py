"""The whole log of a real pool process, on each kind of database: people stand in it under pseudonyms only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from labpool.store import connect
from sqlalchemy import text

from tests.ports import free_ports
from tests.service.pool_process import PoolProcess

pytestmark = [pytest.mark.long, pytest.mark.once]
NAME = "augusta"


@pytest.fixture
def pool(database_url: str, tmp_path: Path) -> Iterator[PoolProcess]:
    (port,) = free_ports(1)
    pool = PoolProcess(tmp_path, port, database_url)
    try:
        pool.start()
        yield pool
    finally:
        pool.end()


def lines(pool: PoolProcess) -> list[dict[str, str]]:
    return [json.loads(line) for line in pool.log.read_text().splitlines()]


def break_store(url: str) -> None:
    """Let decisions and looks at somebody fail: to SQLite's driver like an outage, to psycopg a mistake of ours."""
    engine = connect(url)
    with engine.begin() as connection:
        for table in ("audit", "notices"):
            connection.execute(text(f"ALTER TABLE {table} RENAME TO {table}_elsewhere"))
    engine.dispose()


def test_nobody_is_named_also_where_the_database_fails(pool: PoolProcess, database_url: str):
    assert pool.ask(NAME).status_code == 200
    assert pool.home(NAME).tickets
    break_store(database_url)
    for failed in (pool.ask(f"{NAME}-too"), pool.get(f"/api/v1/users/{NAME}/home")):
        assert failed.status_code in {500, 503}, failed.text
    routes = {line.get("route", "").removeprefix("/services/pool/api/v1") for line in lines(pool)}
    assert {"/spawns", "/users/{user}/home"} <= routes
    told = pool.log.read_text()
    assert '"actor": "p-' in told
    assert NAME not in told


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_refused_row_is_told_of_without_its_values(database_url: str):
    engine = connect(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE people (name text PRIMARY KEY)"))
    with pytest.raises(Exception) as failed, engine.begin() as connection:
        connection.execute(text("INSERT INTO people VALUES (:name), (:name)"), {"name": NAME})
    engine.dispose()
    assert "duplicate key value violates unique constraint" in str(failed.value)
    assert NAME not in str(failed.value) + str(failed.value.__cause__)
