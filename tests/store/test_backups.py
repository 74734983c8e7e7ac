"""Backups of either database, and the way back."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from labpool.store import BackupFailed, Store, connect, migrate, restore_backup, write_backup
from labpool.store.database import alembic_config
from labpool.store.file_lock import FileLock
from sqlalchemy import make_url, text

from tests.postgres import RunningPostgres
from tests.store.test_store import LEASE, NOW, SERIES, TICKET


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    engine = connect(database_url)
    migrate(engine)
    store = Store(engine)
    with store.transaction() as change:
        change.save_ticket(TICKET)
        change.save_lease(LEASE)
        change.save_reservation(SERIES)
    yield store
    store.close()


def tickets_in(url: str) -> list[str]:
    store = Store(connect(url))
    migrate(store._engine)
    with store.transaction() as change:
        found = [ticket.id for ticket in change.open_tickets()]
        if found:
            assert change.live_leases() == (LEASE,)
            assert change.reservations() == (SERIES,)
    store.close()
    return found


def file_another(store: Store) -> None:
    with store.transaction() as change:
        change.save_ticket(replace(TICKET, id="t2", user="bert"))


def test_store_is_again_what_it_was_when_the_backup_was_made(store: Store, database_url: str, tmp_path: Path):
    backup = tmp_path / "pool.backup"
    write_backup(database_url, backup)
    file_another(store)
    store.close()
    assert tickets_in(database_url) == ["t1", "t2"]
    restore_backup(database_url, backup, replace=True)
    assert tickets_in(database_url) == ["t1"]
    assert {path.name for path in tmp_path.iterdir()} - {"pool.sqlite", "pool.sqlite.lock"} == {"pool.backup"}
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_backup_holds_nothing_of_a_transaction_under_way(store: Store, database_url: str, tmp_path: Path):
    with store.transaction() as change:
        change.save_ticket(replace(TICKET, id="t2", user="bert"))
        write_backup(database_url, tmp_path / "pool.backup")
    store.close()
    restore_backup(database_url, tmp_path / "pool.backup", replace=True)
    assert tickets_in(database_url) == ["t1"]


def test_backup_goes_into_a_new_database(
    store: Store, database_url: str, tmp_path: Path, request: pytest.FixtureRequest
):
    write_backup(database_url, tmp_path / "pool.backup")
    other = f"sqlite:///{tmp_path}/other.sqlite"
    if not database_url.startswith("sqlite"):
        other = request.getfixturevalue("postgres").new_database()
    restore_backup(other, tmp_path / "pool.backup")
    assert tickets_in(other) == ["t1"]


def test_restored_ids_go_on_where_they_were(store: Store, database_url: str, tmp_path: Path):
    write_backup(database_url, tmp_path / "pool.backup")
    store.close()
    restore_backup(database_url, tmp_path / "pool.backup", replace=True)
    with store.transaction() as change:
        change.end_lease("t1", NOW)
        change.save_lease(LEASE)
        assert change.live_leases() == (LEASE,)


def test_a_file_that_is_there_is_not_overwritten(store: Store, database_url: str, tmp_path: Path):
    (tmp_path / "kept").write_text("a thesis")
    with pytest.raises(BackupFailed, match="kept is there already, and a backup replaces nothing"):
        write_backup(database_url, tmp_path / "kept")
    assert (tmp_path / "kept").read_text() == "a thesis"


def test_tickets_are_replaced_only_where_that_is_said(store: Store, database_url: str, tmp_path: Path):
    write_backup(database_url, tmp_path / "pool.backup")
    file_another(store)
    store.close()
    with pytest.raises(BackupFailed, match=r"holds tickets, which a restore would replace\. Make a backup"):
        restore_backup(database_url, tmp_path / "pool.backup")
    assert tickets_in(database_url) == ["t1", "t2"]


def test_backup_of_an_older_release_is_brought_up_to_date_and_one_of_a_newer_is_refused(
    store: Store, database_url: str, tmp_path: Path
):
    store.close()
    with store._engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0003")
    write_backup(database_url, tmp_path / "old.backup")
    migrate(store._engine)
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    write_backup(database_url, tmp_path / "new.backup")
    store._engine.dispose()
    with pytest.raises(BackupFailed, match=r"new\.backup has the schema 9999, which this release of labpool doesn't"):
        restore_backup(database_url, tmp_path / "new.backup", replace=True)
    restore_backup(database_url, tmp_path / "old.backup", replace=True)
    migrate(store._engine)
    with Store(store._engine).view() as view:
        assert [ticket.id for ticket in view.open_tickets()] == ["t1"]
        assert view.reservations() == ()


def test_nothing_is_restored_under_a_pool(store: Store, database_url: str, tmp_path: Path):
    write_backup(database_url, tmp_path / "pool.backup")
    lock = FileLock(Path(make_url(database_url).database or "")) if database_url.startswith("sqlite") else None
    if lock:
        store.close()
        assert lock.take("process 42")
    with pytest.raises(BackupFailed, match=r"is in use by .* Stop the pool, restore, then start it again"):
        restore_backup(database_url, tmp_path / "pool.backup", replace=True)
    if lock:
        lock.give_back()


@pytest.mark.parametrize(
    "content", [b"", b"nothing of ours" * 100, b"SQLite format 3\0" + b"x" * 5000, b"PGDMP and no"]
)
def test_what_is_no_backup_is_refused_and_nothing_changed(
    content: bytes, store: Store, database_url: str, tmp_path: Path
):
    store.close()
    (tmp_path / "odd").write_bytes(content)
    with pytest.raises(BackupFailed, match=r"odd can't be restored|pg_restore failed"):
        restore_backup(database_url, tmp_path / "odd", replace=True)
    assert tickets_in(database_url) == ["t1"]


@pytest.mark.postgresql
def test_without_postgresqls_programs_a_backup_says_what_to_install(
    postgres: RunningPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupFailed, match=r"pg_dump is missing, .*apt-get install postgresql-client"):
        write_backup(postgres.url("postgres"), tmp_path / "pool.backup")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.postgresql
@pytest.mark.parametrize("replace", [False, True])
def test_database_that_lets_nobody_in_is_named_without_its_password(
    replace: bool, postgres: RunningPostgres, tmp_path: Path
):
    engine = connect(url := postgres.new_database())
    migrate(engine)
    engine.dispose()
    write_backup(url, tmp_path / "pool.backup")
    wrong = url.replace("labpool:", "labpool:not-to-be-told-")
    with pytest.raises(BackupFailed) as refused:
        write_backup(wrong, tmp_path / "other.backup")
    assert "password authentication failed" in str(refused.value)
    with pytest.raises(BackupFailed) as not_restored:
        restore_backup(wrong, tmp_path / "pool.backup", replace)
    assert "password authentication failed" in str(not_restored.value)
    assert "not-to-be-told" not in f"{refused.value} {not_restored.value}"
