"""What is said of a database that can't be used, and what a database must keep to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from labpool.settings import sqlite_url
from labpool.store import (
    AuditEntry,
    Store,
    StoreUnavailable,
    UnreadableStore,
    Unstorable,
    UnusableDatabase,
    check_store,
    connect,
    migrate,
    name_of,
    read_past,
)
from labpool.store.sqlite import READS_ONLY
from sqlalchemy import Engine, text

from tests.postgres import RunningPostgres, running_postgres
from tests.store.test_store import NOW, TICKET

SECRET = "not-to-be-told"
_FULL = 2
"""What SQLite answers for synchronous=FULL."""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"labpool:{SECRET}@db.example.org", "is not the URL of a database; expected sqlite:////FOLDER/pool.sqlite or"),
        (f"postgresql://labpool:{SECRET}@db.example.org:port/labpool", "is not the URL of a database"),
        (f"postgresql://labpool:{SECRET}@db.example.org", "names no database"),
        ("sqlite://", "names no database"),
        (f"mysql://labpool:{SECRET}@db.example.org/labpool", 'the scheme "mysql", which the pool can\'t use; expected'),
    ],
)
def test_unusable_url_is_refused_with_what_was_expected(url: str, said: str):
    with pytest.raises(UnusableDatabase) as refused:
        connect(url)
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


def test_sqlite_file_in_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(UnusableDatabase, match=r"nowhere/pool.sqlite. It said: unable to open database file. Expected"):
        migrate(connect(f"sqlite:///{tmp_path}/nowhere/pool.sqlite"))


def test_sqlite_file_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("labpool.store.database.network_file_system", lambda folder: "nfs4")
    with pytest.raises(UnusableDatabase, match=r"lies on a network file system \(nfs4\), where SQLite can lose data"):
        migrate(connect(f"sqlite:///{tmp_path}/pool.sqlite"))


@pytest.mark.postgresql
def test_wrong_password_is_refused_and_never_told(postgres: RunningPostgres):
    wrong = f"postgresql://labpool:{SECRET}@127.0.0.1:{postgres.port}/postgres"
    with pytest.raises(UnusableDatabase) as refused:
        migrate(connect(wrong))
    assert f'database "postgres" of user "labpool" at 127.0.0.1:{postgres.port}' in str(refused.value)
    assert "password authentication failed" in str(refused.value)
    assert SECRET not in str(refused.value)
    assert SECRET not in name_of(wrong)


@pytest.mark.postgresql
def test_database_that_is_not_there_is_refused(postgres: RunningPostgres):
    with pytest.raises(UnusableDatabase, match='"nowhere" does not exist'):
        migrate(connect(postgres.url("nowhere")))


def test_schema_of_a_newer_release_is_left_alone(database_url: str):
    engine = connect(database_url)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnusableDatabase, match="has the schema 9999, which this release of labpool doesn't know"):
        migrate(engine)
    engine.dispose()


def test_what_a_pool_remembers_is_read_from_either_database(database_url: str):
    with pytest.raises(UnreadableStore, match=r"no such file|tickets"):
        read_past(database_url)
    engine = connect(database_url)
    migrate(engine)
    store = Store(engine)
    with store.transaction() as change:
        change.save_ticket(TICKET)
        change.audit(AuditEntry(NOW, "planner", "granted", "t1"))
        assert read_past(database_url) == [], "it read what was not committed"
    (past,) = read_past(database_url)
    assert past.ticket == TICKET
    store.close()


@pytest.fixture
def own_postgres() -> Iterator[RunningPostgres]:
    """One that nobody else uses, so it may be stopped."""
    with running_postgres() as server:
        yield server


@pytest.mark.postgresql
def test_database_that_goes_away_is_told_apart_and_used_again_once_it_is_back(own_postgres: RunningPostgres):
    engine = connect(own_postgres.new_database())
    migrate(engine)
    store = Store(engine)
    with store.transaction() as change:
        change.save_ticket(TICKET)
    with pytest.raises(StoreUnavailable, match="can't be used now"), store.transaction() as change:
        change.audit(AuditEntry(NOW, "ada", "lost"))
        own_postgres.stop()
        change.audit(AuditEntry(NOW, "ada", "lost"))
    with pytest.raises(StoreUnavailable), store.view():
        pass
    own_postgres.start()
    with store.transaction() as change:
        assert change.open_tickets() == (TICKET,)
        assert change.audit_trail() == ()
    store.close()


@pytest.mark.postgresql
def test_what_is_committed_to_postgresql_is_on_disk_whatever_the_server_is_set_to(own_postgres: RunningPostgres):
    url = own_postgres.new_database()
    with own_postgres.connect("postgres") as connection:
        connection.execute("ALTER ROLE labpool SET synchronous_commit = off")
    engine = connect(url)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    engine.dispose()


def test_text_that_a_database_cannot_hold_is_told_apart(database_url: str):
    engine = connect(database_url)
    migrate(engine)
    store = Store(engine)
    odd = "a\x00b"
    if engine.dialect.name == "sqlite":
        with store.transaction() as change:
            change.audit(AuditEntry(NOW, "ada", "filed", None, odd))
            assert change.audit_trail()[-1].detail == odd
    else:
        with pytest.raises(Unstorable, match="NUL"), store.transaction() as change:
            change.audit(AuditEntry(NOW, "ada", "filed", None, odd))
        with store.view() as view:
            assert view.audit_trail() == ()
    store.close()


def test_store_is_checked_wherever_it_is(database_url: str):
    with pytest.raises(UnreadableStore, match=r"no such file|alembic_version"):
        check_store(database_url)
    engine = connect(database_url)
    migrate(engine)
    engine.dispose()
    assert check_store(database_url).isdigit()


def test_damaged_file_is_told(tmp_path: Path):
    path = tmp_path / "pool.sqlite"
    engine = connect(sqlite_url(path))
    migrate(engine)
    engine.dispose()  # and with its last connection the log beside the file is written into it
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(UnreadableStore, match=r"damaged|malformed"):
        check_store(sqlite_url(path))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("reads_only", [True, False])
def test_what_is_committed_outlives_a_power_cut(engine: Engine, reads_only: bool):
    with engine.execution_options(**{READS_ONLY: reads_only}).begin() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == _FULL
