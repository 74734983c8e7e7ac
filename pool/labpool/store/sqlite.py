"""How SQLite keeps the pool's word."""

from __future__ import annotations

import sqlite3

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_MS = 10_000
READS_ONLY = "labpool_reads_only"
"""Execution option of an engine whose transactions only read."""


def sqlite_engine(url: URL) -> Engine:
    """An engine with write-ahead logging and `synchronous=FULL`, so that what was committed outlives a power cut.

    It takes the write lock at the beginning of each transaction that may write: two writers wait for each other, none
    fails later.
    """
    engine = create_engine(url, hide_parameters=True)  # which name people, and errors are logged
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", begin)
    return engine


def begin(connection: Connection) -> None:
    """Begin a transaction that the driver was told to leave to us; the write lock only where it may write."""
    reads_only = connection.get_execution_options().get(READS_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _prepare(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
    # Without this the driver begins transactions by itself, later than asked and never immediately.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}")
