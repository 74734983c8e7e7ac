"""What `labpool kueue sync` says where there is no cluster, or none with Kueue.

What answers here is no API server: it says what a real one says where Kueue is not installed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import Result
from labpool.cli.app import app
from typer.testing import CliRunner

from tests.ports import free_ports
from tests.settings.conftest import SMALL


@dataclass
class Answers:
    """What everything is answered with."""

    address: str
    always: tuple[int, str] = (404, "404 page not found")


@pytest.fixture
def answers() -> Iterator[Answers]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = told.always
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told = Answers(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield told
        server.shutdown()


def sync(folder: Path, address: str) -> Result:
    (folder / "pool.yaml").write_text(SMALL)
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "users": [{"name": "u", "user": {"token": "a-token"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig))
    return run(folder, folder / "kubeconfig")


def run(folder: Path, kubeconfig: Path) -> Result:
    return CliRunner().invoke(app, ["kueue", "sync", str(folder)], env={"KUBECONFIG": str(kubeconfig)})


def test_cluster_without_kueue_is_told_what_to_install(answers: Answers, tmp_path: Path):
    result = sync(tmp_path, answers.address)
    assert result.exit_code == 1
    assert result.stderr.startswith("This cluster has no Kueue that speaks kueue.x-k8s.io/v1beta2. Install Kueue 0.19")


def test_token_that_is_over_is_told(answers: Answers, tmp_path: Path):
    answers.always = 401, json.dumps({"kind": "Status", "message": "Unauthorized", "code": 401})
    result = sync(tmp_path, answers.address)
    assert result.exit_code == 1
    assert "The API server doesn't know us" in result.stderr


def test_api_server_that_is_away_is_named(tmp_path: Path):
    address = f"http://127.0.0.1:{free_ports(1)[0]}"
    result = sync(tmp_path, address)
    assert result.exit_code == 3
    assert f"The API server at {address} gives no answer" in result.stderr


def test_no_kubeconfig_is_told(tmp_path: Path):
    (tmp_path / "pool.yaml").write_text(SMALL)
    result = run(tmp_path, tmp_path / "none")
    assert result.exit_code == 3
    assert result.stderr.startswith("Nothing says where the cluster is")
    assert "Set KUBECONFIG to a kubeconfig" in result.stderr
