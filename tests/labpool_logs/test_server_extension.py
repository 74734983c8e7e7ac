"""A real Jupyter server with the extension: what it tells the pool, what it shows, and where the tile leads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.labpool_logs.event_files import log_scalars
from tests.labpool_logs.pool_endpoint import PoolEndpoint
from tests.ports import free_ports
from tests.real_hub import is_healthy, wait_until

TOKEN = "token-of-the-test"
OPENED = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
SCRIPT = {"Accept": "application/json", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
NOTICE = {"kind": "ending", "at": "2026-11-22T10:00:00Z", "ends_at": "2026-11-22T10:15:00Z", "message": "15 minutes."}


@dataclass
class RealJupyterServer:
    """A JupyterLab server process with the extension enabled."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/user/ada/"

    @property
    def runtime(self) -> Path:
        return self.folder / "runtime"

    def log(self) -> str:
        return (self.folder / "jupyter.log").read_text(encoding="utf-8")

    def ask(self, method: str, path: str, signed_in: bool = True, **arguments) -> httpx.Response:
        headers = dict(arguments.pop("headers", SCRIPT)) | ({"Authorization": f"token {TOKEN}"} if signed_in else {})
        return httpx.request(method, self.url + path, headers=headers, timeout=60, trust_env=False, **arguments)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_server(folder: Path, environment: dict[str, str]) -> RealJupyterServer:
    (port,) = free_ports(1)
    (folder / "home").mkdir()
    options = {
        "ServerApp.jpserver_extensions": "{'labpool_logs.server_extension': True}",
        "ServerApp.base_url": "/user/ada/",
        "ServerApp.port_retries": "0",
        "ServerApp.open_browser": "False",
        "IdentityProvider.token": TOKEN,
        "LabpoolExtension.notice_seconds": "0.2",
        "LabApp.news_url": "",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", f"--port={port}", "--ip=127.0.0.1"]
    command += [f"--{name}={value}" for name, value in options.items()]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "LABPOOL"))}
    private = {"HOME": str(folder / "home"), "JUPYTER_RUNTIME_DIR": str(folder / "jupyter-runtime")}
    with (folder / "jupyter.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder / "home", env=inherited | private | environment, stdout=log, stderr=log
        )
    server = RealJupyterServer(folder, port, process)
    wait_until(lambda: is_healthy(server.url + "api"), f"the Jupyter server's answer ({folder}/jupyter.log)", 60)
    return server


def of_a_ticket(folder: Path, pool: PoolEndpoint) -> dict[str, str]:
    """Return what the spawner sets for a server with a ticket."""
    return {
        "JUPYTERHUB_USER": "ada",
        "LABPOOL_LOGS": str(folder / "logs"),
        "LABPOOL_PROJECT": "vision",
        "LABPOOL_POOL_URL": pool.url,
        "LABPOOL_RUNTIME": str(folder / "runtime"),
        "LABPOOL_TICKET": "t-1",
        "LABPOOL_TICKET_TOKEN": "token-of-the-ticket",
    }


@pytest.fixture
def pool() -> Iterator[PoolEndpoint]:
    endpoint = PoolEndpoint()
    endpoint.start()
    yield endpoint
    endpoint.stop()


@pytest.fixture
def leased(tmp_path: Path, pool: PoolEndpoint) -> Iterator[RealJupyterServer]:
    server = start_server(tmp_path, of_a_ticket(tmp_path, pool))
    yield server
    server.stop()


def test_first_use_is_told_once_and_what_runs_by_itself_is_none(leased: RealJupyterServer, pool: PoolEndpoint):
    leased.ask("GET", "api", signed_in=False)
    for path in ("api/kernels", "api/sessions", "api/terminals", "api/contents", "api/status", "lab/api/workspaces"):
        leased.ask("GET", path)
    leased.ask("GET", "lab", signed_in=False, headers=OPENED, follow_redirects=True)
    leased.ask("GET", "static/favicons/favicon.ico", headers=OPENED)
    before = pool.polls
    wait_until(lambda: pool.polls > before + 3, "a few more polls")
    assert pool.claims == []

    assert leased.ask("GET", "lab", headers=OPENED).status_code == 200
    wait_until(lambda: bool(pool.claims), "the claim")
    leased.ask("GET", "lab", headers=OPENED)
    assert leased.ask("POST", "api/terminals").status_code == 200
    before = pool.polls
    wait_until(lambda: pool.polls > before + 3, "a few more polls")

    assert pool.claims == [("/api/v1/tickets/t-1/claim", "Bearer token-of-the-ticket")]


def test_first_use_while_the_pool_is_down_is_told_when_it_is_back(leased: RealJupyterServer, pool: PoolEndpoint):
    pool.stop()
    body = {"type": "file", "format": "text", "content": "x"}
    assert leased.ask("PUT", "api/contents/notes.txt", json=body).status_code == 201
    wait_until(lambda: "it is tried again" in leased.log(), "the first failed try")

    pool.start()

    wait_until(lambda: len(pool.claims) == 1, "the claim")


def test_refused_claim_is_said_in_the_log_and_not_repeated(leased: RealJupyterServer, pool: PoolEndpoint):
    pool.refusal = 409
    leased.ask("GET", "lab", headers=OPENED)

    wait_until(lambda: "doesn't take this server's claim" in leased.log(), "the line in the log")
    leased.ask("GET", "lab", headers=OPENED)
    before = pool.polls
    wait_until(lambda: pool.polls > before + 5, "a few more polls")
    assert pool.asked == 1


def test_notice_is_in_the_runtime_folder_while_there_is_one(leased: RealJupyterServer, pool: PoolEndpoint):
    file = leased.runtime / "notice.json"
    assert not file.exists()

    pool.notice = NOTICE
    wait_until(file.exists, "the notice")
    assert json.loads(file.read_text()) == NOTICE
    assert [each.name for each in leased.runtime.iterdir()] == ["notice.json"]

    pool.notice = NOTICE | {"message": "5 minutes."}
    wait_until(lambda: json.loads(file.read_text())["message"] == "5 minutes.", "the next notice")

    pool.stop()
    assert file.exists()
    pool.start()
    pool.notice = None
    wait_until(lambda: not file.exists(), "the notice's end")


def test_tile_leads_to_the_project_in_the_logs_service(leased: RealJupyterServer):
    tiles = leased.ask("GET", "server-proxy/servers-info").json()["server_processes"]
    (tile,) = [each for each in tiles if each["name"] == "tensorboard"]
    assert tile["launcher_entry"]["title"] == "TensorBoard"
    assert leased.ask("GET", "server-proxy/icon/tensorboard").headers["content-type"].startswith("image/svg")

    answer = leased.ask("GET", tile["launcher_entry"]["path_info"], headers=OPENED)

    assert answer.status_code == 302
    assert answer.headers["location"] == "/logs/ada/vision/"
    assert leased.ask("GET", "labpool/tensorboard", signed_in=False, headers=OPENED).headers["location"] != (
        "/logs/ada/vision/"
    )


def test_without_a_hub_the_tile_starts_tensorboard_over_the_logs_folder(tmp_path: Path):
    log_scalars(tmp_path / "logs/run-1", "loss", [1.0, 0.5])
    server = start_server(tmp_path, {"LABPOOL_LOGS": str(tmp_path / "logs")})
    try:
        tiles = server.ask("GET", "server-proxy/servers-info").json()["server_processes"]
        (tile,) = [each for each in tiles if each["name"] == "tensorboard"]
        assert tile["launcher_entry"]["path_info"] == "tensorboard/"
        active = server.ask("GET", "api/status").json()["last_activity"]
        page = server.ask("GET", "tensorboard/", headers=OPENED)
        assert page.status_code == 200, server.log()
        tags = "tensorboard/data/plugin/scalars/tags"
        wait_until(lambda: "loss" in server.ask("GET", tags).text, "the logged tag in TensorBoard")

        assert server.ask("GET", "api/status").json()["last_activity"] == active
    finally:
        server.stop()


def test_server_without_a_ticket_asks_the_pool_nothing(tmp_path: Path, pool: PoolEndpoint):
    environment = of_a_ticket(tmp_path, pool)
    del environment["LABPOOL_TICKET"], environment["LABPOOL_TICKET_TOKEN"]
    server = start_server(tmp_path, environment)
    try:
        assert server.ask("GET", "lab", headers=OPENED).status_code == 200
        assert server.ask("GET", "labpool/tensorboard").headers["location"] == "/logs/ada/vision/"
    finally:
        server.stop()
    assert (pool.claims, pool.polls) == ([], 0)


def test_incomplete_environment_is_said_in_the_log(tmp_path: Path, pool: PoolEndpoint):
    environment = of_a_ticket(tmp_path, pool)
    del environment["LABPOOL_TICKET_TOKEN"]
    server = start_server(tmp_path, environment)
    server.stop()

    assert "LABPOOL_TICKET_TOKEN is not set" in server.log()
