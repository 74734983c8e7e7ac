"""A real pool process before no hub, for tests of several that share a database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
from labpool.api_models import HomeView
from labpool.settings import Place

from tests.real_hub import is_healthy, wait_until
from tests.service.running_pool import POOL_YAML

_NO_HUB = "http://127.0.0.1:1/hub/api"


@dataclass
class PoolProcess:
    """One of several pools on one data folder; its port is its own."""

    folder: Path
    port: int
    database: str
    pool_yaml: str = POOL_YAML
    hub_api_url: str = _NO_HUB
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/pool"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it, and wait until it answers."""
        (self.folder / "pool.yaml").write_text(self.pool_yaml)
        environment = {
            "PATH": os.environ["PATH"],
            "LABPOOL_DATA": str(self.folder / "data"),
            "LABPOOL_DATABASE": self.database,
            "LABPOOL_POOL_FILE": str(self.folder / "pool.yaml"),
            "LABPOOL_POOL_PORT": str(self.port),
            "JUPYTERHUB_API_URL": self.hub_api_url,
            "JUPYTERHUB_API_TOKEN": "a-token-that-no-hub-asks-for",
        }
        with (self.folder / f"pool-{self.port}.log").open("ab") as log:
            command = [sys.executable, "-m", "labpool.service"]
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_until(lambda: is_healthy(f"{self.url}/healthz"), f"the pool's answer (log: {log.name})", 60)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        """End it however it is, for good."""
        if self._process is not None:
            self.process.kill()
            self.process.wait()

    def role(self) -> str:
        """ "leader" or "stand-by", as it says itself."""
        return str(self._get("/healthz").json()["role"])

    def leads(self) -> bool:
        return self._get("/readyz").status_code == 204

    def ask(self, user: str, profile: str = "gpu-1") -> httpx.Response:
        """Ask for a server's lease as the spawner does."""
        asked = {"user": user, "project": "vision", "profile": profile, "hours": 1}
        return httpx.post(f"{self.url}/api/v1/spawns", json=asked, headers=self._spawner(), timeout=30, trust_env=False)

    def home(self, user: str) -> HomeView:
        return HomeView.model_validate_json(self._get(f"/api/v1/users/{user}/home").content)

    def _get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=self._spawner(), timeout=30, trust_env=False)

    def _spawner(self) -> dict[str, str]:
        secret = Place.open({"LABPOOL_DATA": str(self.folder / "data")}).secret("spawner_token")
        return {"Authorization": f"Bearer {secret}"}
