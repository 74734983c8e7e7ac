from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from labpool.domain.leases import Lease
from labpool.engines import WorkstationEngine
from labpool.settings import Place, PoolFile, load_pool_file

from tests.engines.fake_driver import FakeCard, FakeDriver, build

POOL_YAML = """
flavours:
  demo-gpu: {title: Demo GPU 16 GB, gpu_memory_gib: 16}
  a100: {title: A100 80 GB, nvml: "nvidia a100*80GB"}
simulated: {nodes: [{name: demo, cpu: 16, memory_gib: 64, devices: {demo-gpu: 2}}]}
profiles:
  gpu-1: {title: One GPU, flavour: a100, gpus: 1, cpu: 2, memory_gib: 4, max_hours: 8}
projects:
  vision: {title: Vision, members: {everyone: true}, nominal: {a100: 2}, profiles: [gpu-1]}
"""

ADA, BERT = "ticket-of-ada", "ticket-of-bert"
MakeEngine = Callable[..., WorkstationEngine]


def lease_of(ticket: str, *devices: str) -> Lease:
    now = datetime.now(timezone.utc)
    return Lease(ticket, "ada", "", "vision", "a100", devices, now, now + timedelta(hours=1))


@pytest.fixture(scope="session")
def driver_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def driver(driver_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """A working driver with two cards. nvidia-ml-py finds the stand-in by its soname, since it is loaded already."""
    ctypes.CDLL(str(driver_library))
    fake = FakeDriver(tmp_path / "nvml.state", [FakeCard("GPU-one"), FakeCard("GPU-two")])
    fake.write()
    monkeypatch.setenv("FAKE_NVML_STATE", str(fake.state))
    return fake


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.open({"LABPOOL_DATA": str(tmp_path / "data")})


@pytest.fixture
def pool_file(tmp_path: Path) -> PoolFile:
    path = tmp_path / "pool.yaml"
    path.write_text(POOL_YAML)
    return load_pool_file(path)


@pytest.fixture
def make_engine(place: Place, pool_file: PoolFile) -> MakeEngine:
    def make(pool_file: PoolFile = pool_file, **options: float) -> WorkstationEngine:
        return WorkstationEngine(pool_file, place, place.pool_id, **options)

    return make


class Servers:
    """Real processes that stand for users' servers."""

    def __init__(self, pool_id: str) -> None:
        self.pool_id = pool_id
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, ticket: str | None, script: str = "echo ready; read line") -> subprocess.Popen[bytes]:
        """Start `script` as a server of `ticket` (None: as no server's process) and wait for its first line."""
        mark = {"LABPOOL_POOL": self.pool_id, "LABPOOL_TICKET": ticket} if ticket else {}
        process = subprocess.Popen(
            ["sh", "-c", script],
            env={"PATH": os.environ["PATH"], **mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    def end(self) -> None:
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def servers(place: Place) -> Iterator[Servers]:
    started = Servers(place.pool_id)
    yield started
    started.end()
