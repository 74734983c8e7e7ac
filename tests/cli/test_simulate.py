"""`labpool simulate`, run as people run it."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree

import pytest
from labpool.domain.leases import Lease
from labpool.domain.simulation.policies import PolicyName
from labpool.domain.simulation.trace import COLUMNS, parse
from labpool.domain.tickets import EndReason, Event, Ticket
from labpool.store import AuditEntry, Store, connect, migrate

from tests.cli.conftest import Labpool
from tests.settings.conftest import DEMO

pytestmark = pytest.mark.once

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


def test_a_seed_changes_the_estimates_and_nothing_else(labpool: Labpool, tmp_path: Path):
    made = tmp_path / "made.csv"
    made.write_text(labpool("simulate", "generate", "--tickets", "60", "--load", "1.1").stdout)

    def measures(*seed: str) -> dict[str, object]:
        return dict(json.loads(labpool("simulate", "--trace", made, "--json", *seed).stdout)["measures"])

    usual, other = measures(), measures("--seed", "3")
    assert (measures("--seed", "0"), measures("--seed", "3")) == (usual, other)
    assert usual.pop("likely_error_s") != other.pop("likely_error_s")
    assert usual == other


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


DAY = timedelta(days=1)
MAY = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a store of nothing."""
    folder = tmp_path / "data"
    folder.mkdir()
    engine = connect(f"sqlite:///{folder}/pool.sqlite")
    migrate(engine)
    engine.dispose()
    return folder


def _remember(data: Path, name: str, asked: datetime, *, ran: float | None = None, left: bool = False) -> None:
    """A ticket with a lease of so many hours, or that left the line, or still waits."""
    engine = connect(f"sqlite:///{data}/pool.sqlite")
    store = Store(engine)
    asked_for = ("vision", "gpu-2", "demo-gpu", 2, timedelta(hours=4))
    ticket = Ticket(name, "ada, the first", frozenset(), name, *asked_for, asked)
    with store.transaction() as change:
        change.save_ticket(ticket)
        if ran is not None:
            over = asked + timedelta(hours=ran)
            who = (name, ticket.user, name, "vision", "demo-gpu")
            change.save_lease(Lease(*who, (f"{name}-0", f"{name}-1"), asked, asked + ticket.duration))
            change.audit(AuditEntry(asked, "planner", "granted", name))
            change.end_lease(name, over)
            change.save_ticket(ticket.after(Event.GRANT, asked).after(Event.END, over, EndReason.STOPPED))
        elif left:
            change.save_ticket(ticket.after(Event.END, asked + DAY, EndReason.CANCELLED))
    store.close()


def test_trace_is_recorded_from_a_store_that_is_only_read(labpool: Labpool, data: Path, tmp_path: Path):
    _remember(data, "old", MAY - 40 * DAY, ran=1)
    _remember(data, "short", MAY, ran=0.5)
    _remember(data, "left", MAY + DAY, left=True)
    _remember(data, "late", MAY + 30 * DAY)
    before = (data / "pool.sqlite").read_bytes()
    span = ("--since", "2026-05-01", "--until", "2026-06-01T00:00:00")
    done = labpool("simulate", "record", *span, LABPOOL_DATA=str(data), TZ="UTC")
    assert done.returncode == 0
    short, left = parse(done.stdout.splitlines(), "recorded")
    assert (short.user, short.submit_s, short.wall_s, short.run_s) == ("ada, the first", 0, 14400, 1800)
    assert (left.submit_s, left.cancel_s) == (86400, 86400)
    assert done.stderr.splitlines() == [
        f"{data}/pool.sqlite: requests in this trace: 2; its second 0 is 2026-05-04 09:00:00",
        "  1 ran, and are over",
        "  1 left the line; in a replay that grants one sooner it uses all its hours",
    ]
    assert (data / "pool.sqlite").read_bytes() == before
    (tmp_path / "may.csv").write_text(done.stdout)
    assert labpool("simulate", "--trace", tmp_path / "may.csv").returncode == 0


def test_store_that_cannot_be_recorded_is_refused(labpool: Labpool, data: Path, tmp_path: Path):
    (tmp_path / "pool.sqlite").write_text("no database at all, and long enough to be looked at as one" * 20)
    store = data / "pool.sqlite"
    for arguments, said in (
        (("--data", tmp_path / "nowhere"), f"{tmp_path}/nowhere/pool.sqlite: no such file. Expected the store of a"),
        (("--data", tmp_path), f"{tmp_path}/pool.sqlite: can't be read as a pool's store (file is not a database)."),
        (("--data", data), f"{store}: nobody has asked this pool for a GPU yet."),
    ):
        done = labpool("simulate", "record", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(said), done.stderr
    assert not (tmp_path / "nowhere").exists()
    _remember(data, "one", MAY)
    done = labpool("simulate", "record", "--data", data, "--until", "2026-01-01")
    assert done.stderr.startswith(f"{store}: none of its 1 requests is of this time.")
    backwards = labpool("simulate", "record", "--data", data, "--since", "2026-05-02", "--until", "2026-05-01")
    assert backwards.returncode == 2


def test_grants_are_written_in_their_order(labpool: Labpool, trace: Path, tmp_path: Path):
    assert labpool("simulate", "--trace", trace, "--grants", tmp_path / "grants.csv").returncode == 0
    assert (tmp_path / "grants.csv").read_text().splitlines() == [
        "grant,request,attempt,start_s,user,project,devices",
        "1,1,1,0.000000,ada,vision,sim:demo:demo-gpu:0 sim:demo:demo-gpu:1",
        "2,2,1,0.000000,bert,speech,sim:demo:demo-gpu:2 sim:demo:demo-gpu:3",
        "3,3,1,3600.000000,olga,vision,sim:demo:demo-gpu:0 sim:demo:demo-gpu:1",
    ]


def test_commands_of_the_page_work(labpool: Labpool, data: Path, tmp_path: Path):
    _remember(data, "one", MAY, ran=1)
    commands = re.findall(r"^\$ labpool (simulate .*?)(?: > (\S+))?$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) >= 4
    (tmp_path / "new").mkdir()
    for name in ("pool.yaml", "new/pool.yaml"):
        (tmp_path / name).write_text(DEMO.read_text())
    for command, output in commands:
        words = [str(tmp_path / word) if word.endswith((".csv", ".yaml", ".svg")) else word for word in command.split()]
        done = labpool(*words, LABPOOL_DATA=str(data))
        assert (done.returncode, done.stderr == "") == (0, "record" not in words)
        if output:
            (tmp_path / output).write_text(done.stdout)
