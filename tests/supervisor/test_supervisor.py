"""`labpool run`: one of each part, whatever is killed, and nothing left behind."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from tests.real_hub import wait_until
from tests.running_lab import PEOPLE, POOL_YAML, RunningLab, running_lab

pytestmark = pytest.mark.hub

PARTS = ("hub", "pool", "logs", "proxy")
ALL_GPUS = {"project": "vision", "profile": "gpu-4", "hours": 1}
PASSING_IDLENESS = 6
"""Seconds: more than the 5 after which uvicorn, left as it is, ends an idle connection."""
ONE_GPU = {"project": "speech", "profile": "gpu-1", "hours": 1}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A lab with one server that runs with all GPUs, and one ticket that waits."""
    with running_lab(tmp_path_factory.mktemp("lab"), pool_yaml=POOL_YAML.replace("0.1,", "5,")) as lab:
        lab.signed_in("ada")
        lab.signed_in("bert")
        lab.start_server("ada", ALL_GPUS)
        lab.wait_ready("ada")
        lab.start_server("bert", ONE_GPU)
        yield lab


def run_once(lab: RunningLab) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "labpool"), "run"]
    return subprocess.run(command, env=lab.environment, capture_output=True, text=True, timeout=60, check=False)


def all_answer(lab: RunningLab) -> bool:
    addresses = (f"{lab.url}/hub/health", f"{lab.url}/services/pool/healthz", f"{lab.url}/logs/healthz")
    try:
        return all(httpx.get(address, timeout=2, trust_env=False).status_code == 200 for address in addresses)
    except httpx.HTTPError:
        return False


def works_as_before(lab: RunningLab) -> bool:
    try:
        return all_answer(lab) and lab.is_ready("ada") and bool(lab.told("ada"))
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("killed", [("hub",), ("pool",), ("logs",), ("proxy",), PARTS])
def test_killed_parts_come_back_once_and_nobody_loses_anything(lab: RunningLab, killed: tuple[str, ...]):
    before = {part: lab.pids(part) for part in PARTS}
    waiting, running = lab.ticket("bert"), lab.leased()
    for part in killed:
        lab.kill(part)
    wait_until(
        lambda: all(len(lab.pids(part)) == 1 and lab.pids(part) != before[part] for part in killed),
        f"one new process for each of {killed}",
    )
    wait_until(lambda: works_as_before(lab), "everything working as before")
    assert {part: len(lab.pids(part)) for part in PARTS} == dict.fromkeys(PARTS, 1)
    assert [lab.pids(part) for part in PARTS if part not in killed] == [
        before[part] for part in PARTS if part not in killed
    ]
    after = lab.ticket("bert")
    assert waiting is not None
    assert after is not None
    assert (after.id, after.place, after.starts_by) == (waiting.id, waiting.place, waiting.starts_by)
    assert lab.leased() == running


def test_connections_that_the_proxy_keeps_for_later_are_not_ended_under_it(lab: RunningLab):
    parts = {"hub/health": lab.ports.hub, "services/pool/healthz": lab.ports.pool, "logs/healthz": lab.ports.logs}
    with contextlib.ExitStack() as opened:
        connections = {path: HTTPConnection("127.0.0.1", port) for path, port in parts.items()}
        for path, connection in connections.items():
            opened.callback(connection.close)
            connection.request("GET", f"/{path}")
            answer = connection.getresponse()
            answer.read()  # or the connection could not be used again
            assert answer.status == 200, path
        time.sleep(PASSING_IDLENESS)  # nothing is waited for: it is the idleness itself that must do no harm
        for path, connection in connections.items():
            assert connection.sock is not None, f"{path} asked to close"
            connection.sock.setblocking(False)
            with pytest.raises(BlockingIOError):  # an ended connection reads as empty at once
                connection.sock.recv(1)


@pytest.mark.everywhere
def test_start_tells_a_newcomer_where_to_go_who_to_be_and_how_to_stop(lab: RunningLab):
    told = lab.said()
    wanted = [
        lab.url,
        lab.place.secret("demo_password"),
        *PEOPLE,
        "not isolated from each other",
        "simulated",
        "Ctrl-C",
    ]
    assert [word for word in wanted if word not in told] == []
    assert "the devices are simulated" in lab.log("pool")


def test_second_start_says_where_it_runs_already(lab: RunningLab):
    second = run_once(lab)
    assert second.returncode == 1
    assert f"already running at {lab.url}" in second.stderr


def test_killed_supervisor_leaves_only_servers_and_they_are_taken_over(lab: RunningLab):
    servers, leases = lab.labs(), lab.leased()
    lab.kill_supervisor()
    wait_until(lambda: not any(lab.pids(part) for part in PARTS), "the end of all parts")
    assert lab.labs() == servers
    lab.start()
    wait_until(lambda: works_as_before(lab), "the server reachable again")
    assert (lab.labs(), lab.leased()) == (servers, leases)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_leaves_nothing(tmp_path: Path, number: signal.Signals):
    with running_lab(tmp_path) as lab:
        lab.signed_in("ada")
        lab.signed_in("bert")
        lab.start_server("ada", ALL_GPUS)
        lab.wait_ready("ada")
        lab.start_server("bert", ONE_GPU)
        assert lab.supervisor is not None
        lab.supervisor.send_signal(number)
        assert lab.supervisor.wait(60) == 0
        assert [lab.labs(), *(lab.pids(part) for part in PARTS)] == [[]] * 5
        lab.start()
        waiting = lab.ticket("bert")
        assert waiting is not None
        assert waiting.state == "queued"  # nobody's turn comes, and no hours run, while everything is down


def test_port_in_use_is_said_with_the_remedy(tmp_path: Path):
    lab = RunningLab(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", lab.ports.proxy))
        other.listen()
        ended = run_once(lab)
    assert ended.returncode == 1
    assert f"Port {lab.ports.proxy} on 127.0.0.1 is in use" in ended.stderr
    assert "LABPOOL_PORT=" in ended.stderr


def test_broken_pool_file_is_refused_in_the_words_of_labpool_check(tmp_path: Path):
    lab = RunningLab(tmp_path, pool_yaml=POOL_YAML.replace("gpus: 4, servers", "gpus: four, servers"))
    ended, checked = run_once(lab), _labpool(lab, "check")
    hub = subprocess.run(
        [sys.executable, "-m", "jupyterhub", "-f", str(lab.folder / "config/demo.py")],
        env=lab.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    complaint = ended.stderr.strip()
    assert ended.returncode == 2
    assert hub.returncode != 0
    assert "pool.yaml:4: limits.user.gpus: expected a whole number" in complaint
    assert complaint in hub.stderr
    assert complaint in checked.stderr


def test_part_that_cannot_start_is_named_with_the_end_of_its_log(tmp_path: Path):
    ended = run_once(RunningLab(tmp_path, hub_config="raise RuntimeError('a broken line in the configuration')"))
    assert ended.returncode == 1
    assert "JupyterHub ended 3 times" in ended.stderr
    assert "a broken line in the configuration" in ended.stderr


@pytest.mark.root
def test_folder_of_another_user_is_refused(tmp_path: Path):
    lab = RunningLab(tmp_path)
    lab.place.root.mkdir()
    os.chown(lab.place.root, 12345, 12345)
    ended = run_once(lab)
    assert ended.returncode == 2
    assert "belongs to user id 12345" in ended.stderr


def _labpool(lab: RunningLab, command: str) -> subprocess.CompletedProcess[str]:
    program = [str(Path(sys.executable).parent / "labpool"), command]
    return subprocess.run(program, env=lab.environment, capture_output=True, text=True, timeout=60, check=False)
