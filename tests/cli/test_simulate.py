"""`labpool simulate`, run as people run it."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree

import pytest
from labpool.domain.leases import Lease
from labpool.domain.simulation.policies import PolicyName
from labpool.domain.simulation.trace import COLUMNS, parse
from labpool.domain.tickets import EndReason, Event, Ticket
from labpool.store import Store, connect, migrate

from tests.cli.conftest import Labpool
from tests.settings.conftest import DEMO

PAGE = Path(__file__).parents[2] / "docs" / "simulate.md"
HEADER = ",".join(COLUMNS)
TRACE = f"""{HEADER}
0,ada,vision,2,demo-gpu,14400,3600,interactive
0,bert,speech,2,demo-gpu,14400,7200,interactive
600,olga,vision,2,demo-gpu,7200,7200,interactive
1200,eve,chess,1,demo-gpu,7200,7200,interactive
"""


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "may.csv"
    path.write_text(TRACE)
    return path


def test_trace_is_played_and_summed_up(labpool: Labpool, trace: Path):
    done = labpool("simulate", "--trace", trace)
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        f"{trace} played by labpool with {DEMO} (4 demo-gpu)",
        "Devices in use: 100.0% while requests came",
        "Promises broken: none of 1",
        "Requests refused: 1 by unknown_project",
    ):
        assert line in done.stdout.splitlines()
    [speech] = [line for line in done.stdout.splitlines() if line.startswith("│ speech")]
    assert re.findall(r"[^│]+", speech)[1].strip() == "1"


@pytest.mark.parametrize("policy", [name.value for name in PolicyName])
def test_json_tells_the_same_to_programs(labpool: Labpool, trace: Path, policy: str):
    told = json.loads(labpool("simulate", "--trace", trace, "--policy", policy, "--json").stdout)
    assert (told["policy"], told["devices"], told["measures"]["refused"]) == (
        policy,
        {"demo-gpu": 4},
        {"unknown_project": 1},
    )
    assert told["measures"]["waits"] == {"tickets": 3, "mean_s": 1000, "p50_s": 0, "p95_s": 3000}


def test_changed_pool_gives_another_answer(labpool: Labpool, trace: Path, tmp_path: Path):
    bigger = tmp_path / "pool.yaml"
    bigger.write_text(DEMO.read_text().replace("devices: {demo-gpu: 4}", "devices: {demo-gpu: 6}"))
    told = json.loads(labpool("simulate", "--trace", trace, "--pool", bigger, "--json").stdout)
    assert told["measures"]["waits"]["mean_s"] == 0
    assert told["measures"]["promises"] == 0
    assert "Promises: none" in labpool("simulate", "--trace", trace, "--pool", tmp_path).stdout


@pytest.mark.parametrize("policy", [name.value for name in PolicyName])
def test_budget_and_lend_limit_of_the_pool_file_hold(labpool: Labpool, tmp_path: Path, policy: str):
    def mean_wait(budget: str, lend: str) -> float:
        text = DEMO.read_text().replace("gpu_hours: 200, per: month", budget).replace("lend: {demo-gpu: 2}", lend)
        (tmp_path / "pool.yaml").write_text(text)
        arguments = ("--trace", tmp_path / "two.csv", "--pool", tmp_path, "--policy", policy, "--json")
        measures = json.loads(labpool("simulate", *arguments).stdout)["measures"]
        assert measures["refused"] == {}
        return float(measures["waits"]["mean_s"])

    (tmp_path / "two.csv").write_text(f"""{HEADER}
0,ada,vision,2,demo-gpu,14400,14400,interactive
60,olga,vision,1,demo-gpu,14400,14400,interactive
120,bert,speech,1,demo-gpu,3600,3600,interactive
180,carl,speech,2,demo-gpu,3600,3600,interactive
""")
    enough = mean_wait("gpu_hours: 200, per: day", "lend: {demo-gpu: 2}")
    assert mean_wait("gpu_hours: 9, per: day", "lend: {demo-gpu: 2}") > enough
    assert mean_wait("gpu_hours: 200, per: day", "lend: {demo-gpu: 0}") == enough  # vision uses its own two


def test_made_up_trace_can_be_played_without_a_refusal(labpool: Labpool, tmp_path: Path):
    arguments = ("generate", "--tickets", "60", "--load", "0.5", "--seed", "4", "--skew", "4")
    made = labpool("simulate", *arguments, "--heavy-users", "--diurnal")
    again = labpool("simulate", *arguments, "--heavy-users", "--diurnal")
    assert made.stdout == again.stdout
    assert len(parse(made.stdout.splitlines(), "made")) == 60
    (tmp_path / "made.csv").write_text(made.stdout)
    told = json.loads(labpool("simulate", "--trace", tmp_path / "made.csv", "--json").stdout)
    assert told["measures"]["waits"]["tickets"] == 60
    assert set(told["measures"]["waits_by_project"]) == {"vision", "speech"}


def test_plot_is_an_svg_picture_of_use_and_queue(labpool: Labpool, trace: Path, tmp_path: Path):
    labpool("simulate", "--trace", trace, "--plot", tmp_path / "out.svg")
    picture = ElementTree.parse(tmp_path / "out.svg").getroot()
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"may.csv, labpool", "devices in use", "tickets in line", "1 h", "3 h"} <= set(texts)
    use, queue = (
        path.get("d") or "" for path in picture.iter("{http://www.w3.org/2000/svg}path") if path.get("class") != "axis"
    )
    assert use.count("V") == queue.count("V")


def test_progress_is_shown_on_a_terminal_only(labpool: Labpool, trace: Path):
    assert "playing fifo" in labpool("simulate", "--trace", trace, "--policy", "fifo", FORCE_COLOR="1").stderr


def test_wrong_rows_are_told_with_file_line_and_column(labpool: Labpool, trace: Path):
    trace.write_text(TRACE + "1300,ada,vision,two,demo-gpu,7200,7200,interactive\n1400,ada\n")
    done = labpool("simulate", "--trace", trace)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        'may.csv:6: gpus: expected a whole number of 1 or more, got "two". Write how many GPUs were asked for.',
        "may.csv:7: has 2 fields; expected 8, one for each column of line 1.",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "is no text in UTF-8 (byte 0). Save it as CSV in UTF-8."),
        (f"{HEADER}\n0,a,chess,1,demo-gpu,60,60,batch\n".encode(), "unknown_project 1 times. Expected projects among"),
    ],
)
def test_trace_that_cannot_be_played_is_refused(labpool: Labpool, trace: Path, content: bytes, said: str):
    trace.write_bytes(content)
    done = labpool("simulate", "--trace", trace)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_trace_of_a_spreadsheet_with_a_byte_order_mark_is_read(labpool: Labpool, trace: Path):
    trace.write_bytes(b"\xef\xbb\xbf" + TRACE.replace("\n", "\r\n").encode())
    assert labpool("simulate", "--trace", trace).returncode == 0


def test_files_that_cannot_be_used_are_named(labpool: Labpool, trace: Path, tmp_path: Path):
    empty = tmp_path / "empty.yaml"
    empty.write_text(re.sub(r"(?ms)^simulated:.*?^$", "", DEMO.read_text()))
    for arguments, said in (
        (("--trace", tmp_path / "no.csv"), f"{tmp_path}/no.csv: No such file or directory. Name a CSV file"),
        (("--trace", trace, "--pool", empty), f"{empty}: names no device under simulated:"),
        (("--trace", trace, "--plot", tmp_path / "no" / "out.svg"), f"{tmp_path}/no/out.svg: No such file"),
        (("--trace", trace, "--pool", trace), "may.csv:"),
        (("generate", "--flavour", "abacus"), f"{DEMO}: no device of flavour abacus; expected one of demo-gpu."),
    ):
        done = labpool("simulate", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(said), done.stderr


def test_wrong_command_line_is_exit_code_two(labpool: Labpool, trace: Path):
    missing = labpool("simulate")
    assert missing.returncode == 2
    assert "labpool simulate generate" in missing.stderr
    assert labpool("simulate", "--trace", trace, "--policy", "luck").returncode == 2
    assert labpool("simulate", "generate", "--load", "0").returncode == 2


NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)


def _remember(store: Store, name: str, days_ago: float, leases: tuple[tuple[float, float | None], ...]) -> None:
    """A ticket of so many days ago with its leases: hours from asking to start, and to the end if it has ended."""
    asked = NOW - days_ago * DAY
    asked_for = ("vision", "gpu-2", "demo-gpu", 2, timedelta(hours=4))
    ticket = Ticket(name, "ada, the first", frozenset(), name, *asked_for, asked)
    with store.transaction() as change:
        change.save_ticket(ticket)
        for number, (start, end) in enumerate(leases):
            begins = asked + start * DAY / 24
            devices = (f"{name}-{number}-0", f"{name}-{number}-1")
            change.save_lease(
                Lease(name, ticket.user, name, "vision", "demo-gpu", devices, begins, begins + ticket.duration)
            )
            if end is not None:
                change.end_lease(name, asked + end * DAY / 24)
        if leases and leases[-1][1] is not None:
            ended = replace(ticket).after(Event.GRANT, asked).after(Event.END, NOW, EndReason.STOPPED)
            change.save_ticket(ended)


def test_last_months_trace_is_taken_from_the_store_as_the_page_says(tmp_path: Path):
    engine = connect(f"sqlite:///{tmp_path}/pool.sqlite")
    migrate(engine)
    store = Store(engine)
    _remember(store, "old", 40, ((0, 1),))
    _remember(store, "short", 2, ((1, 1.5),))
    _remember(store, "second-try", 1, ((0, 0.5), (2, 5)))
    _remember(store, "running", 0.5, ((0, None),))
    _remember(store, "waiting", 0.1, ())
    store.close()
    [query] = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with sqlite3.connect(tmp_path / "pool.sqlite") as reading:
        answer = reading.execute(query)
        lines = [",".join(column[0] for column in answer.description)]
        lines += [",".join(f'"{value}"' for value in row) for row in answer]
    short, second = parse(lines, "store")
    assert (short.user, short.project, short.gpus, short.wall_s) == ("ada, the first", "vision", 2, 14400)
    assert [short.run_s, second.run_s] == pytest.approx([1800, 3 * 3600], abs=1)
    assert second.submit_s - short.submit_s == pytest.approx(86400, abs=1)


def test_commands_of_the_page_work(labpool: Labpool, tmp_path: Path):
    commands = re.findall(r"^\$ labpool (simulate .*?)(?: > (\S+))?$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) >= 4
    (tmp_path / "new").mkdir()
    for name in ("pool.yaml", "new/pool.yaml"):
        (tmp_path / name).write_text(DEMO.read_text())
    (tmp_path / "last-month.csv").write_text(TRACE)
    for command, output in commands:
        words = [str(tmp_path / word) if word.endswith((".csv", ".yaml", ".svg")) else word for word in command.split()]
        done = labpool(*words)
        assert (done.returncode, done.stderr) == (0, "")
        if output:
            (tmp_path / output).write_text(done.stdout)
