"""Databases, pools and what stands beside them, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx
from labpool.service.app import PREFIX

from benchmarks.serving.hub import TOKEN_OF
from tests.ports import free_ports
from tests.postgres import RunningPostgres
from tests.real_hub import REPOSITORY, listens, wait_until
from tests.service.pool_process import PoolProcess

DATABASES = ("SQLite", "PostgreSQL")


@dataclass
class Places:
    """Where everything of one run of the benchmark lives."""

    folder: Path
    postgres: RunningPostgres
    hub_api_url: str
    _numbers: Iterator[int] = field(default_factory=count)

    def new_database(self, kind: str) -> str:
        """The URL of an empty database."""
        if kind == "PostgreSQL":
            return self.postgres.new_database()
        return f"sqlite:///{self.folder}/database-{next(self._numbers)}.sqlite"

    def new_pool(self, pool_yaml: str, database: str) -> PoolProcess:
        """A pool on a database; not started yet."""
        folder = self.folder / f"pool-{next(self._numbers)}"
        folder.mkdir()
        return PoolProcess(folder, free_ports(1)[0], database, self.hub_api_url, pool_yaml=pool_yaml)


@contextmanager
def program(module: str, *arguments: str) -> Iterator[int]:
    """Run a module of ours, whose first argument is its port, which this gives."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", module, str(port), *arguments]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment) as process:
        try:
            wait_until(lambda: listens(f"http://127.0.0.1:{port}/"), f"the first answer of {module}")
            yield port
        finally:
            process.terminate()


@contextmanager
def started(pool: PoolProcess) -> Iterator[PoolProcess]:
    """A pool that leads."""
    try:
        pool.start()
        wait_until(lambda: _leads(pool), "the pool's lead", 60)
        yield pool
    finally:
        pool.end()


def client_of(url: str, user: str, timeout: float = 120) -> httpx.AsyncClient:
    """A program of `user`'s."""
    headers = {"Authorization": f"Bearer {TOKEN_OF}{user}"}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout, trust_env=False)


def api_of(pool: PoolProcess) -> str:
    """Where the pool's API is."""
    return f"http://127.0.0.1:{pool.port}{PREFIX}/api/v1"


def _leads(pool: PoolProcess) -> bool:
    return httpx.get(f"{pool.url}/readyz", timeout=5, trust_env=False).status_code == 204
