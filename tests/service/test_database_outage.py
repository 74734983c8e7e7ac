"""The pool while its database is away, and a pool that can't begin with the one it is given."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from labpool.log_lines import JsonLines
from labpool.service.head_keeper import EVERY

from tests.postgres import RunningPostgres, running_postgres
from tests.real_hub import wait_until
from tests.service.conftest import pool_before_hub
from tests.service.lab import Lab

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[RunningPostgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def lab(own_postgres: RunningPostgres, tmp_path: Path) -> Iterator[Lab]:
    with pool_before_hub(tmp_path, ("ada", "bert"), database=own_postgres.new_database()) as (pool, hub):
        yield Lab(pool, hub)


@pytest.mark.hub
def test_nothing_acknowledged_is_lost_while_the_database_is_away_and_errors_say_what_is_wrong(
    lab: Lab, own_postgres: RunningPostgres, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    running = lab.running("ada", "gpu-4")
    lab.start("bert")
    waiting = lab.ticket_of("bert")
    own_postgres.stop()
    answer = lab.pool.ask("bert")
    assert (answer.status_code, answer.json()["reason"]) == (503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert lab.start("bert", name="other").status_code == 503
    own_postgres.start()
    wait_until(lambda: lab.pool.as_spawner("GET", "/users/ada/home").is_success, "the pool's answer")
    assert lab.pool.ticket(running.id).lease == running.lease
    assert lab.ticket_of("bert").starts_by == waiting.starts_by
    assert len(lab.pids(running)) == 1
    lab.stop("ada")
    assert lab.until_ready("bert").id == waiting.id
    told = "\n".join(JsonLines().format(each) for each in caplog.records if each.name.startswith("labpool"))
    assert "database_unavailable" in told or "can't be used now" in told
    assert re.search(r"\b(ada|bert)\b", told) is None


@pytest.mark.hub
def test_what_a_leader_does_besides_goes_on_after_the_database_was_away(
    lab: Lab, own_postgres: RunningPostgres, caplog: pytest.LogCaptureFixture
):
    heads = lab.pool.place().audit_heads
    lab.pool.ask("ada")
    wait_until(lambda: heads.exists() and bool(heads.read_text()), "the first head")
    before = heads.read_text()
    own_postgres.stop()
    lab.pool.clock.ahead += EVERY
    lab.pool.parts.changes.announce()
    wait_until(lambda: "broke off" in caplog.text, "a head that can't be read")
    own_postgres.start()
    wait_until(lambda: lab.pool.ask("bert").is_success, "the pool's answer")
    wait_until(lambda: heads.read_text() != before, "another head")


def test_pool_says_at_its_start_that_it_cannot_use_its_database(own_postgres: RunningPostgres, tmp_path: Path):
    environment = {
        "PATH": os.environ["PATH"],
        "LABPOOL_DATA": str(tmp_path / "data"),
        "LABPOOL_DATABASE": own_postgres.url("postgres").replace("labpool:", "labpool:not-to-be-told-"),
        "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api",
        "JUPYTERHUB_API_TOKEN": "none",
    }
    command = [sys.executable, "-m", "labpool.service"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "password authentication failed" in done.stdout + done.stderr
    assert "not-to-be-told" not in done.stdout + done.stderr
