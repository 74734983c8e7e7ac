"""One lab with the demo's own JupyterLab as its servers, and researchers who are signed in to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.clearing import clear
from tests.lab_story.lab_server import LabServer
from tests.running_lab import RunningLab, running_lab

POOL = """
flavours: {demo-gpu: {title: Demo GPU, gpu_memory_gib: 16}}
simulated: {nodes: [{name: demo, cpu: 16, memory_gib: 64, devices: {demo-gpu: 4}}]}
limits: {user: {gpus: 4, servers: 3, queued: 8}}
profiles:
  cpu: {title: CPU only, cpu: 1, memory_gib: 1, max_hours: 12}
  gpu-1: {title: One GPU, flavour: demo-gpu, gpus: 1, cpu: 1, memory_gib: 1, max_hours: 8, preset: single}
  gpu-2: {title: Two GPUs, flavour: demo-gpu, gpus: 2, cpu: 1, memory_gib: 1, max_hours: 8, preset: mirrored}
  gpu-4: {title: Four GPUs, flavour: demo-gpu, gpus: 4, cpu: 1, memory_gib: 1, max_hours: 8, preset: mirrored}
projects:
  vision:
    title: Vision group
    members: {groups: [vision]}
    owners: {groups: [vision-owners]}
    nominal: {demo-gpu: 4}
    profiles: [cpu, gpu-1, gpu-2, gpu-4]
  speech:
    title: Speech group
    members: {groups: [speech]}
    nominal: {demo-gpu: 4}
    profiles: [cpu, gpu-1]
queue:
  shortest_minutes: 0.001
  restart_minutes: 3
  turnover_minutes: 0
  end_grace_minutes: 0.05
  notice_minutes: [0.4, 0.15]
  reconcile_seconds: 0.5
"""
RECONCILE_SECONDS = 0.5
NOTICE_SECONDS = 0.4 * 60
HUB = """
c.Spawner.http_timeout = 150
c.Spawner.start_timeout = 150
c.Spawner.args = [*c.Spawner.args, "--LabpoolExtension.notice_seconds=0.3"]
"""

Researcher = Callable[[str], LabServer]


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningLab, float]]:
    """A running lab whose queue has times of seconds, and the seconds that it took to start."""
    began = time.monotonic()
    with running_lab(tmp_path_factory.mktemp("lab"), pool_yaml=POOL, hub_config=HUB, server=()) as lab:
        yield lab, time.monotonic() - began


@pytest.fixture(scope="package")
def lab(started: tuple[RunningLab, float]) -> RunningLab:
    """The running lab."""
    return started[0]


@pytest.fixture(scope="package")
def short_hours(started: tuple[RunningLab, float]) -> float:
    """Hours in which a JupyterLab starts before its notice is due, on this machine as busy as it is."""
    return (NOTICE_SECONDS + 3 * started[1]) / 3600


@pytest.fixture(scope="package")
def tokens() -> dict[str, str]:
    """Tokens of who has signed in."""
    return {}


@pytest.fixture
def researcher(lab: RunningLab, tokens: dict[str, str]) -> Iterator[Researcher]:
    """Let people of the demo sign in; afterwards nothing of theirs runs or waits."""

    def enter(user: str) -> LabServer:
        if user not in tokens:
            lab.signed_in(user)  # only then the hub knows the groups
            tokens[user] = lab.token_for(user)
        return LabServer(lab, user, tokens[user])

    yield enter
    clear(lab)
