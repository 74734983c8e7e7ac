"""Requests made up from the OpenAPI document: the pool answers each as the document says, and never fails inside."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path

import pytest
from labpool.store import Transaction

from tests.service.actors import Robotics, robotics_of
from tests.service.lab import Lab

pytestmark = pytest.mark.once

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
STREAMS = "/services/pool/api/v1/(me/notices|tickets/{ticket}/events)"
"""Endless as long as somebody listens; test_streams.py reads them."""


@pytest.fixture
def robotics(lab: Lab, new_user: Callable[[], str]) -> Iterator[Robotics]:
    with robotics_of(lab, new_user) as found:
        yield found
        lab.pool.call(lab.pool.parts.desk.change(lambda change: undo_acts(change, lab.pool.clock())))


def undo_acts(change: Transaction, now: datetime) -> None:
    """End whatever an admin's requests drained, changed or reserved: the next test begins with a pool as it was."""
    for act in chain(*change.acts()):
        change.end_act(act.id, now, "test-admin")
    for series in change.reservations():
        change.save_reservation(replace(series, cancelled_at=now, cancelled_by="test-admin"))


def probe(robotics: Robotics, folder: Path, actor: str, *chosen: str) -> None:
    """Let schemathesis ask as the actor, of a real ticket where it is about one."""
    ticket = robotics.ticket().id
    config = folder / "schemathesis.toml"
    config.write_text(f'[parameters]\n"path.ticket" = "{ticket}"\n"path.user" = "{robotics.people["holder"]}"\n')
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"{robotics.lab.pool.url}/openapi.json", "--checks", CHECKS, "--seed", "1", "--max-time", "12"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--request-timeout", "20"),
        *("-H", f"Authorization:Bearer {robotics.token(actor, ticket)}", "--exclude-path-regex", STREAMS, *chosen),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("actor", ["holder", "admin", "anonymous"])
def test_people_and_programs_get_documented_answers_only(robotics: Robotics, tmp_path: Path, actor: str):
    probe(robotics, tmp_path, actor, "--exclude-tag", "spawner")


def test_spawner_gets_documented_answers_only(robotics: Robotics, tmp_path: Path):
    probe(robotics, tmp_path, "spawner", "--include-tag", "spawner")
