"""A pool whose disk is full: it says so, forgets nothing, and goes on by itself once there is room."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from labpool.store.audit_reading import verify_audit
from labpool.store.file_lock import FileLock

from tests.ports import free_ports
from tests.postgres import running_postgres
from tests.real_hub import is_healthy, wait_until
from tests.service.full_disk import SmallDisk, small_disk
from tests.service.pool_process import PoolProcess

pytestmark = [pytest.mark.root, pytest.mark.once]


@contextmanager
def on_sqlite() -> Iterator[tuple[SmallDisk, str]]:
    with TemporaryDirectory() as folder, small_disk(Path(folder) / "disk") as disk:
        yield disk, f"sqlite:///{disk.folder}/pool.sqlite"


@contextmanager
def on_postgresql() -> Iterator[tuple[SmallDisk, str]]:
    """The database's files are on the disk; the server's own, such as its log of changes, are elsewhere."""
    with TemporaryDirectory() as folder, small_disk(Path(folder) / "disk", mib=32) as disk:
        Path(folder).chmod(0o755)
        space = disk.folder / "space"
        space.mkdir()
        shutil.chown(space, "postgres", "postgres")
        with running_postgres() as server:
            with server.connect("postgres") as connection:
                connection.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
                connection.execute("CREATE DATABASE pool TABLESPACE small")
            yield disk, server.url("pool")


@pytest.fixture(params=[on_sqlite, pytest.param(on_postgresql, marks=pytest.mark.postgresql)])
def stored(request: pytest.FixtureRequest) -> Iterator[tuple[SmallDisk, str]]:
    """A small disk with a pool's database, and nothing else, on it."""
    with request.param() as both:
        yield both


@pytest.fixture
def pool(tmp_path: Path, stored: tuple[SmallDisk, str]) -> Iterator[PoolProcess]:
    (port,) = free_ports(1)
    pool = PoolProcess(tmp_path, port, stored[1])
    try:
        pool.start()
        yield pool
    finally:
        pool.end()


def until_full(pool: PoolProcess, disk: SmallDisk) -> list[str]:
    """Fill the disk and ask until nothing more fits; give what was answered all the same, the file having had room."""
    disk.fill()
    tickets = []
    for number in range(200):
        answer = pool.ask(f"user{number}")
        if answer.status_code == 503:
            assert_told_of_full_disk(answer)
            return tickets
        tickets.append(answer.json()["ticket"])
    raise AssertionError("everything fits on a full disk")


def assert_told_of_full_disk(answer: httpx.Response) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["reason"]) == (503, "database_full")
    assert "make room" in problem["remedy"]
    assert int(answer.headers["Retry-After"]) > 0


@pytest.fixture
def disk(stored: tuple[SmallDisk, str]) -> SmallDisk:
    return stored[0]


def test_full_disk_is_told_and_nothing_answered_is_lost_once_there_is_room(pool: PoolProcess, disk: SmallDisk):
    held = pool.ask("ada").json()["ticket"]
    process = pool.process.pid
    tickets = {held, *until_full(pool, disk)}
    assert_told_of_full_disk(pool.ask("zoe"))
    assert [ticket.id for ticket in pool.home("ada").tickets] == [held]  # what is there can be read
    assert is_healthy(f"{pool.url}/healthz")
    disk.make_room()
    wait_until(lambda: pool.ask("zoe").is_success, "an answer with room again")
    found = {ticket.id for user in ("ada", *(f"user{n}" for n in range(200))) for ticket in pool.home(user).tickets}
    assert found == tickets
    assert (pool.process.poll(), pool.process.pid) == (None, process)
    assert verify_audit(pool.database, []).broken is None


def test_pool_killed_while_its_disk_is_full_begins_all_the_same_and_goes_on_once_there_is_room(
    pool: PoolProcess, disk: SmallDisk
):
    held = pool.ask("ada").json()["ticket"]
    until_full(pool, disk)
    pool.end()
    pool.start()
    wait_until(pool.leads, "the lead, once its database has seen that the killed one is gone")
    assert pool.role() == "leader"
    assert_told_of_full_disk(pool.ask("zoe"))
    assert [ticket.id for ticket in pool.home("ada").tickets] == [held]
    disk.make_room()
    wait_until(lambda: pool.ask("zoe").is_success, "an answer with room again")


def test_lock_on_a_full_disk_is_held_though_its_holder_cannot_be_named(tmp_path: Path):
    with small_disk(tmp_path / "disk") as disk:
        disk.fill()
        first, second = (FileLock(disk.folder / "pool.sqlite") for _ in range(2))
        assert first.take("first")
        assert (second.take("second"), second.holder()) == (False, "")
        first.give_back()
        disk.make_room()
        assert (second.take("second"), second.holder()) == (True, "second")
        second.give_back()
