"""Opening the pool's database: how it keeps its word, and which schema it has."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.pool import ConnectionPoolEntry

READS_ONLY = "labpool_reads_only"
BUSY_MS = 10_000
MIGRATIONS = Path(__file__).parent / "migrations"


def connect(url: str) -> Engine:
    """An engine for `url`, such as sqlite:////data/pool.sqlite.

    SQLite gets write-ahead logging with `synchronous=FULL`, so that what was committed is there after a power cut,
    and takes its write lock at the beginning of each transaction that may write: two writers wait for each other, none
    fails later.
    """
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", begin)
    return engine


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to `revision`; nothing happens where it is there already."""
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), revision)


def compact(engine: Engine) -> None:
    """Leave nothing in the database's files of what was overwritten or deleted.

    SQLite is written anew, about a second for 100 MB. Other databases clean up by themselves in time.
    """
    if engine.dialect.name != "sqlite":
        return
    with closing(engine.raw_connection()) as connection:  # one that begins no transaction by itself
        for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            connection.cursor().execute(statement)


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for one open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _prepare_sqlite(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
    # Without this the driver begins transactions by itself, later than asked and never immediately.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def begin(connection: Connection) -> None:
    """Begin a transaction that the driver was told to leave to us; the write lock only where it may write."""
    reads_only = connection.get_execution_options().get(READS_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
