from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from labpool.store import connect, migrate
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import Engine

from tests.postgres import RunningPostgres, running_postgres

DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium. Not longer than a module: while it is there, nothing else can run an event loop."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[RunningPostgres]:
    """A PostgreSQL of this worker's own."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind that the pool keeps its store in."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/pool.sqlite"
    server: RunningPostgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An empty store of each kind."""
    engine = connect(database_url)
    migrate(engine)
    yield engine
    engine.dispose()
