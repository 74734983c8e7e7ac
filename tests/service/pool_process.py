"""A real pool process, before no hub unless it is told of one, for tests of what outlives a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from labpool.api_models import HomeView, SpawnAsked
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
    hub_api_url: str = _NO_HUB
    hub_token: str = "a-token-that-no-hub-asks-for"
    pool_yaml: str = POOL_YAML
    environ: Mapping[str, str] = field(default_factory=dict)
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
        environment = self.environment()
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "labpool.service"]
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.wait_for_answer()

    def wait_for_answer(self) -> None:
        answers = f"{self.url}/healthz"
        wait_until(lambda: self._has_ended() or is_healthy(answers), f"the pool's answer (log: {self.log})", 300)
        assert not self._has_ended(), f"the pool ended by itself (log: {self.log})"

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    @property
    def log(self) -> Path:
        return self.folder / f"pool-{self.port}.log"

    def environment(self) -> dict[str, str]:
        """What the process is started with; pool.yaml is there then."""
        (self.folder / "pool.yaml").write_text(self.pool_yaml)
        return {
            "PATH": os.environ["PATH"],
            "LABPOOL_DATA": str(self.folder / "data"),
            "LABPOOL_DATABASE": self.database,
            "LABPOOL_POOL_FILE": str(self.folder / "pool.yaml"),
            "LABPOOL_POOL_PORT": str(self.port),
            "JUPYTERHUB_API_URL": self.hub_api_url,
            "JUPYTERHUB_API_TOKEN": self.hub_token,
            **self.environ,
        }

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        """End it however it is, for good."""
        if self._process is not None:
            self.process.kill()
            self.process.wait()

    def role(self) -> str:
        """ "leader" or "stand-by", as it says itself."""
        return str(self.get("/healthz").json()["role"])

    def leads(self) -> bool:
        return self.get("/readyz").status_code == 204

    def ask(self, user: str, profile: str = "gpu-1") -> httpx.Response:
        """Ask for a server's lease as the spawner does."""
        asked = self.asked(user, profile).model_dump()
        return httpx.post(f"{self.url}/api/v1/spawns", json=asked, headers=self._spawner(), timeout=30, trust_env=False)

    def asked(self, user: str, profile: str = "gpu-1") -> SpawnAsked:
        return SpawnAsked(user=user, project="vision", profile=profile, hours=1)

    def home(self, user: str) -> HomeView:
        return HomeView.model_validate_json(self.get(f"/api/v1/users/{user}/home").content)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=self._spawner(), timeout=30, trust_env=False)

    def place(self) -> Place:
        return Place.open({"LABPOOL_DATA": str(self.folder / "data")})

    @property
    def spawner_token(self) -> str:
        return self.place().secret("spawner_token")

    def _spawner(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.spawner_token}"}
