"""The commands over a running pool, as an admin runs them on its machine and elsewhere."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import pytest
from labpool.api_models import PoolView, TicketView
from labpool.cli.app import app
from typer.main import get_command

from tests.clearing import clear
from tests.cli.conftest import run_labpool
from tests.real_hub import wait_until
from tests.running_lab import RunningLab, running_lab

pytestmark = pytest.mark.once
VISION = {"project": "vision", "profile": "gpu-4", "hours": 2}
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def whole_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        lab.signed_in("ada")
        yield lab


@pytest.fixture
def lab(whole_lab: RunningLab) -> Iterator[RunningLab]:
    yield whole_lab
    clear(whole_lab)


def command(lab: RunningLab, *arguments: str) -> Done:
    named = {name: value for name, value in lab.environment.items() if name.startswith("LABPOOL_")}
    return run_labpool(*arguments, **named)


def said(lab: RunningLab, *arguments: str) -> str:
    done = command(lab, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def running(lab: RunningLab, user: str = "ada") -> TicketView:
    lab.start_server(user, VISION)
    lab.wait_ready(user)
    lab.use(user)
    ticket = lab.ticket(user)
    assert ticket is not None
    return ticket


def waiting(lab: RunningLab) -> TicketView:
    lab.start_server("ada", VISION | {"profile": "gpu-1"}, "second")
    wait_until(lambda: lab.ticket("ada", "second") is not None, "the ticket")
    ticket = lab.ticket("ada", "second")
    assert ticket is not None
    return ticket


def test_status_and_tickets_tell_how_the_pool_stands(lab: RunningLab):
    held, waits = running(lab), waiting(lab)
    stands = said(lab, "status")
    assert "Demo GPU (simulated)" in stands
    assert "1 waiting." in stands
    listed = said(lab, "tickets")
    assert held.id in listed
    assert waits.id in listed
    page = json.loads(said(lab, "tickets", "--json", "--state", "queued"))
    assert [(each["id"], each["user"]) for each in page["tickets"]] == [(waits.id, "ada")]
    assert json.loads(said(lab, "status", "--json"))["queued"] == 1


def test_top_goes_on_until_it_is_stopped(lab: RunningLab):
    named = {name: value for name, value in lab.environment.items() if name.startswith("LABPOOL_")}
    top = [sys.executable, "-c", "from labpool.cli import main; main()", "top", "--json", "--seconds", "0.5"]
    with subprocess.Popen(
        top, env={"PATH": "/bin", "HOME": "/", **named}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        looks = [PoolView.model_validate_json(process.stdout.readline()) for _ in range(2)]
        process.terminate()
    assert looks[0].now < looks[1].now


def test_top_shows_the_pool_live_until_ctrl_c(lab: RunningLab):
    named = {name: value for name, value in lab.environment.items() if name.startswith("LABPOOL_")}
    shown = bytearray()
    window, inside = pty.openpty()
    top = [sys.executable, "-c", "from labpool.cli import main; main()", "top", "--seconds", "0.5"]
    environ = {"PATH": "/bin", "HOME": "/", "TERM": "xterm", "COLUMNS": "120", "LINES": "60", **named}
    with subprocess.Popen(
        top, env=environ, stdin=inside, stdout=inside, stderr=inside, start_new_session=True
    ) as process:
        os.close(inside)
        reader = threading.Thread(target=read_all, args=(window, shown))
        reader.start()
        try:
            wait_until(lambda: b"Demo GPU (simulated)" in shown, "the picture of the pool", 60)
            assert b"1 waiting." not in shown
            running(lab)
            waiting(lab)
            wait_until(lambda: b"1 waiting." in shown, "another picture, with who waits", 60)
            process.send_signal(signal.SIGINT)
            process.wait(60)
        finally:
            process.kill()
            reader.join()
    os.close(window)
    assert b"\x1b[?1049l" in shown, "the window's own text is not back"
    assert b"Traceback" not in shown


def read_all(window: int, shown: bytearray) -> None:
    """Take what comes to a terminal until nobody writes to it any more."""
    with suppress(OSError):  # so Linux says that
        while told := os.read(window, 65536):
            shown += told


def test_lease_is_extended_and_ended_with_a_reason(lab: RunningLab):
    held = running(lab)
    assert "until" in said(lab, "extend", held.id, "1")
    refused = command(lab, "extend", held.id, "99")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.strip().endswith(".")
    said(lab, "end", held.id, "--why", "Maintenance")
    wait_until(lambda: lab.ticket("ada") is None, "the end")
    assert command(lab, "end", "0123456789abcdef").returncode == 1


def test_waiting_ticket_is_ended_by_the_same_command(lab: RunningLab):
    running(lab)
    waits = waiting(lab)
    assert said(lab, "end", waits.id) == f"{waits.id} has ended.\n"


def test_machine_is_drained_after_a_confirmed_question_and_put_back(lab: RunningLab):
    running(lab)
    waiting(lab)
    asked = command(lab, "drain", "demo", "--why", "New fans")
    assert (asked.returncode, asked.stdout) == (4, "")
    assert asked.stderr == "1 promise would break. Nothing was done. To accept that: --confirm 1\n"
    until = "2099-01-01T12:00"
    assert "demo is drained until" in said(
        lab, "drain", "demo", "--why", "New fans", "--until", until, "--confirm", "1"
    )
    assert "New fans" in said(lab, "status").replace("\n", " ")
    assert json.loads(said(lab, "undrain", "demo", "--json"))["why"] == "New fans"
    again = command(lab, "undrain", "demo")
    assert (again.returncode, again.stderr) == (1, "demo is not drained. `labpool status` shows what is.\n")


def test_gpu_is_drained_by_its_id_and_a_machine_that_answers_can_not_be_fenced(lab: RunningLab):
    made = json.loads(said(lab, "drain", "sim:demo:demo-gpu:0", "--why", "Too hot", "--json"))
    assert (made["node"], made["device"]) == ("demo", "sim:demo:demo-gpu:0")
    said(lab, "undrain", made["id"])
    fenced = command(lab, "fence", "demo", "--why", "Off")
    assert fenced.returncode == 1
    assert "not silent" in fenced.stderr


def test_quota_is_set_listed_and_reset(lab: RunningLab):
    assert said(lab, "quota", "list") == "Every rule is pool.yaml's.\n"
    made = json.loads(said(lab, "quota", "set", "borrow:demo-gpu", "speech", "1", "--why", "A deadline", "--json"))
    assert (made["value"], made["file_value"], made["made_by"]) == (1, 2, "operator")
    assert "A deadline" in said(lab, "quota", "list")
    assert json.loads(said(lab, "quota", "reset", made["id"], "--json")) == made
    assert command(lab, "quota", "reset", made["id"], "--json").returncode == 1
    assert said(lab, "quota", "list", "--json") == "[]\n"
    assert command(lab, "quota", "set", "nominal", "vision", "1", "--why", "x").returncode == 2
    assert command(lab, "quota", "set", "weight", "nobody", "1", "--why", "x").returncode == 1


def test_reload_says_what_came_of_it(lab: RunningLab):
    assert "is in force" in said(lab, "reload")
    lab.write_pool_yaml(lab.pool_yaml.replace("title: Vision group", "titel: Vision group"))
    broken = command(lab, "reload")
    assert broken.returncode == 1
    assert "titel" in broken.stderr
    lab.write_pool_yaml(lab.pool_yaml)
    assert json.loads(said(lab, "reload", "--json"))["valid"]


def test_waiting_ticket_is_let_start_or_the_reason_is_told(lab: RunningLab):
    running(lab)
    refused = command(lab, "grant", waiting(lab).id, "--why", "A deadline")
    assert refused.returncode == 1
    assert "Its owner is told: You wait because" in refused.stderr


def test_doctor_finds_all_well_on_the_machine_itself(lab: RunningLab):
    looked_at = said(lab, "doctor")
    for name in ("data folder", "database", "pool.yaml", "hub", "pool", "token", "engine", "clock", "devices"):
        assert f"ok {name}: " in looked_at
    assert {each["verdict"] for each in json.loads(said(lab, "doctor", "--json"))} == {"ok"}


def test_elsewhere_the_command_asks_with_the_persons_own_token(lab: RunningLab):
    held = running(lab)
    mine = {"LABPOOL_URL": lab.url, "LABPOOL_TOKEN": lab.token_for("ada")}
    assert held.id in run_labpool("tickets", **mine).stdout
    refused = run_labpool("drain", "demo", "--why", "x", **mine)
    assert refused.returncode == 1
    assert "custom:labpool:admin" in refused.stderr
    assert "ok token: the pool knows it" in run_labpool("doctor", **mine).stdout
    wrong = run_labpool("status", **mine | {"LABPOOL_TOKEN": "wrong"})
    assert wrong.returncode == 1
    assert "Token page" in wrong.stderr or "token" in wrong.stderr


def test_audit_trail_reads_the_same_from_the_database_and_from_the_pool(lab: RunningLab):
    held = running(lab)
    token = (Path(lab.environment["LABPOOL_DATA"]) / "secrets" / "operator_token").read_text().strip()
    there = {"LABPOOL_URL": lab.url, "LABPOOL_TOKEN": token}
    asked = ("audit", "--ticket", held.id, "--json")
    told = json.loads(run_labpool(*asked, **there).stdout)["rows"]
    assert told == json.loads(said(lab, *asked))["rows"]
    assert [row["event"] for row in told][:2] == ["filed", "granted"]
    whole = json.loads(run_labpool("audit", "--json", **there).stdout)["rows"]
    assert [row["number"] for row in whole] == list(range(1, len(whole) + 1))
    refused = run_labpool("audit", **there | {"LABPOOL_TOKEN": lab.token_for("ada")})
    assert (refused.returncode, "custom:labpool:admin" in refused.stderr) == (1, True)


def test_without_a_pool_the_command_says_what_to_do(tmp_path: Path):
    nothing = run_labpool("status", LABPOOL_DATA=str(tmp_path))
    assert nothing.returncode == 3
    assert "LABPOOL_URL" in nothing.stderr
    away = run_labpool("status", LABPOOL_URL="http://127.0.0.1:9", LABPOOL_TOKEN="x")
    assert away.returncode == 3
    assert "labpool doctor" in away.stderr
    ill = run_labpool("doctor", LABPOOL_URL="http://127.0.0.1:9", LABPOOL_TOKEN="x")
    assert ill.returncode == 1
    assert "failed pool: " in ill.stdout
    assert run_labpool("status", LABPOOL_URL="http://127.0.0.1:9").returncode == 3


def test_every_command_that_tells_something_tells_it_as_json_too():
    """All but those that run on, print JSON or CSV anyway, or write a page."""
    without = {"run", "schema", "reference", "simulate record", "simulate generate"}
    assert {name for name, options in commands(get_command(app)) if "--json" not in options} == without


def commands(command: click.Command, name: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every command that does something by itself, with its options."""
    inner = getattr(command, "commands", {})
    if not inner or getattr(command, "invoke_without_command", False):
        yield name, {option for parameter in command.params for option in parameter.opts}
    for each, child in inner.items():
        yield from commands(child, f"{name} {each}".strip())


def test_shell_completes_commands():
    asked = {
        "COMP_WORDS": "labpool un",
        "COMP_CWORD": "1",
        "_LABPOOL_COMPLETE": "complete_bash",
        "HOME": "/nonexistent",
    }
    installed = Path(sys.executable).parent / "labpool"
    done = subprocess.run([installed], env=asked, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["undrain"]
