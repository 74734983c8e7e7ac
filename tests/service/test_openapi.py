"""Requests made up from the OpenAPI document: the pool answers each as the document says, and never fails inside."""

from __future__ import annotations

import json
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
from tests.service.admin import AdminDesk
from tests.service.lab import Lab

pytestmark = pytest.mark.once

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
ALL_PHASES, EXAMPLES = "coverage,fuzzing", 3
"""Few examples of each operation, so that each gets its turn: the run is bound by their number, not by time."""
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


def real_ids(robotics: Robotics) -> dict[str, str]:
    """What addresses are about: a ticket, a person, and what an admin said."""
    desk = AdminDesk(robotics.lab)
    rule = {"rule": "user_gpus", "name": robotics.people["member"], "value": 1, "why": "For a while"}
    return {
        "ticket": robotics.ticket().id,
        "user": robotics.people["holder"],
        "drain": desk.drained(device=desk.call("GET", "/devices").json()[0]["id"], confirm={"broken": 1000}),
        "override": desk.call("POST", "/overrides", rule).json()["id"],
    }


def probe(robotics: Robotics, folder: Path, actor: str, phases: str, *chosen: str) -> None:
    """Let schemathesis ask as the actor, of each operation that was chosen, with ids that are there."""
    known = real_ids(robotics)
    config, report = folder / "schemathesis.toml", folder / "report.json"
    named = "".join(f'"path.{name}" = "{value}"\n' for name, value in known.items())
    config.write_text(f"[parameters]\n{named}\n[phases.coverage]\nunexpected-methods = []\n")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"{robotics.lab.pool.url}/openapi.json", "--checks", CHECKS, "--seed", "1", "--phases", phases),
        *("--max-examples", str(EXAMPLES), "--request-timeout", "20", "--report-json-path", str(report)),
        *("-H", f"Authorization:Bearer {robotics.token(actor, known['ticket'])}", "--exclude-path-regex", STREAMS),
        *chosen,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    told = json.loads(report.read_text())
    assert told["complete"], said
    assert {told["phases"][phase]["status"] for phase in phases.split(",")} == {"success"}, said
    assert told["operations"]["tested"] == told["operations"]["selected"] > 0, said


@pytest.mark.parametrize("actor", ["holder", "admin"])
def test_people_and_programs_get_documented_answers_only(robotics: Robotics, tmp_path: Path, actor: str):
    probe(robotics, tmp_path, actor, ALL_PHASES, "--exclude-tag", "spawner")


def test_nobody_gets_documented_answers_only(robotics: Robotics, tmp_path: Path):
    probe(robotics, tmp_path, "anonymous", "fuzzing", "--exclude-tag", "spawner")


def test_spawner_gets_documented_answers_only(robotics: Robotics, tmp_path: Path):
    probe(robotics, tmp_path, "spawner", ALL_PHASES, "--include-tag", "spawner")
