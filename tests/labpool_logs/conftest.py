"""The gateway as a process of its own behind a real hub, over a log store of the tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.labpool_logs.event_files import log_scalars
from tests.ports import free_ports
from tests.real_hub import RealHub, Service, is_healthy, running_hub, wait_until

USERS = {name: ["researchers"] for name in ("ada", "lin", "max", "new", "zoe@lab")}
LOSS = [1.0, 0.5, 0.25, 0.125]


@dataclass
class RealGateway:
    """`python -m labpool_logs`, and what it runs."""

    hub: RealHub
    service: Service
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def store(self) -> Path:
        """The log store."""
        return self.folder / "logs"

    @property
    def own_url(self) -> str:
        """The gateway's address without the proxy."""
        return f"http://127.0.0.1:{self.service.port}"

    def start(self, **settings: str) -> None:
        """Start it and wait until it answers."""
        environment = os.environ | {
            "LABPOOL_DATA": str(self.folder),
            "LABPOOL_LOGS_PORT": str(self.service.port),
            "JUPYTERHUB_API_URL": self.hub.api_url,
            "JUPYTERHUB_API_TOKEN": self.service.token,
            "JUPYTERHUB_SERVICE_NAME": self.service.name,
            "JUPYTERHUB_SERVICE_PREFIX": self.service.prefix,
            **settings,
        }
        with (self.folder / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "labpool_logs"], env=environment, stderr=log)
        wait_until(
            lambda: is_healthy(f"{self.own_url}{self.service.prefix}healthz"), f"the gateway's answer ({self.folder})"
        )

    def stop(self, how: int = signal.SIGTERM) -> None:
        """Stop it."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(15)

    def events(self) -> list[dict[str, object]]:
        """Return what it logged."""
        lines = (self.folder / "gateway.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def tensorboards(self) -> dict[str, int]:
        """Return the process ids of the running TensorBoards of this log store by `user/project`."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if "labpool_logs.tensorboard_process" in words:
                folder = Path(words[words.index("--logdir") + 1])
                if folder.is_relative_to(self.store):
                    found[folder.relative_to(self.store).as_posix()] = int(process.name)
        return found


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHub]:
    """A hub that knows two logs services: one runs for many tests, the other for tests with own settings."""
    port, other_port = free_ports(2)
    services = [
        Service("logs", "/logs/", port, "token-of-the-logs-service"),
        Service("own-logs", "/own-logs/", other_port, "token-of-the-other-service"),
    ]
    with running_hub(tmp_path_factory.mktemp("logs-hub"), services, USERS) as hub:
        yield hub


@pytest.fixture(scope="session")
def gateway(hub: RealHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """A running gateway that looks for links five times a second.

    Its log store holds `ada/vision`, which tests leave as it is, and `lin/secret`, which nobody opens.
    """
    gateway = RealGateway(hub, hub.services[0], tmp_path_factory.mktemp("logs"))
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    log_scalars(gateway.store / "lin/secret/run-1", "loss", [42.0])
    gateway.start(LABPOOL_LOGS_CHECK_SECONDS="0.2")
    yield gateway
    gateway.stop()


@pytest.fixture
def own_gateway(hub: RealHub, tmp_path: Path) -> Iterator[RealGateway]:
    """A gateway at /own-logs/ that isn't started yet, over an empty log store."""
    gateway = RealGateway(hub, hub.services[1], tmp_path)
    gateway.store.mkdir()
    yield gateway
    if gateway.process is not None and gateway.process.poll() is None:
        gateway.stop()
