"""`labpool db`, as an admin runs it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from labpool.store import Store, connect, migrate, name_of
from labpool.store.file_lock import FileLock

from tests.cli.conftest import Labpool
from tests.store.test_store import TICKET


@pytest.fixture
def store(database_url: str) -> Store:
    engine = connect(database_url)
    migrate(engine)
    return Store(engine)


def file(store: Store, *tickets: str) -> None:
    with store.transaction() as change:
        for ticket in tickets:
            change.save_ticket(replace(TICKET, id=ticket, user=ticket))
    store.close()


def test_backup_is_brought_back(labpool: Labpool, store: Store, database_url: str, tmp_path: Path):
    file(store, "t1")
    backup = tmp_path / "pool.backup"
    done = labpool("db", "backup", backup, LABPOOL_DATABASE=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{backup}: a backup of {name_of(database_url)}.")
    file(store, "t2")
    refused = labpool("db", "restore", backup, LABPOOL_DATABASE=database_url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "holds tickets, which a restore would replace" in refused.stderr
    done = labpool("db", "restore", "--replace", backup, LABPOOL_DATABASE=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    with Store(connect(database_url)).view() as view:
        assert [ticket.id for ticket in view.open_tickets()] == ["t1"]
        told = [(each.actor, each.event, each.detail) for each in view.audit_trail()]
    digest = hashlib.sha256(backup.read_bytes()).hexdigest()
    assert told == [("operator", "restored", f"from a backup with the sha256 {digest}")]


def test_without_a_setting_it_is_the_data_folders_file(labpool: Labpool, tmp_path: Path):
    missing = labpool("db", "backup", tmp_path / "pool.backup", LABPOOL_DATA=str(tmp_path))
    assert missing.returncode == 1
    assert missing.stderr.startswith(f"{tmp_path}/pool.sqlite: no such file. Expected the store of a pool that has run")
    engine = connect(f"sqlite:///{tmp_path}/pool.sqlite")
    migrate(engine)
    engine.dispose()
    done = labpool("db", "backup", tmp_path / "pool.backup", "--json", LABPOOL_DATA=str(tmp_path))
    told = {"file": str(tmp_path / "pool.backup"), "database": str(tmp_path / "pool.sqlite")}
    assert (done.returncode, json.loads(done.stdout)) == (0, told)
    lock = FileLock(tmp_path / "pool.sqlite")
    lock.take("demo:8100, process 42")
    refused = labpool("db", "restore", tmp_path / "pool.backup", LABPOOL_DATA=str(tmp_path))
    lock.give_back()
    assert refused.returncode == 1
    assert "is in use by the pool of demo:8100, process 42. Stop the pool" in refused.stderr


def test_unusable_database_is_refused_without_a_word_of_its_password(labpool: Labpool, tmp_path: Path):
    url = "mysql://labpool:not-to-be-told@db.example.org/labpool"
    done = labpool("db", "backup", tmp_path / "pool.backup", LABPOOL_DATABASE=url)
    assert done.returncode == 1
    assert 'the scheme "mysql"' in done.stderr
    assert "not-to-be-told" not in done.stderr
