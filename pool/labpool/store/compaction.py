"""Taking what was erased out of the database's files too.

SQLite leaves what was overwritten or deleted in free pages and in its log, until the file is written anew: about a
second for 100 MB. Other databases clean up by themselves in time. That it is due stands in the file itself, written by
the transaction that erases, so a pool that is killed meanwhile does it after its next start.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing, suppress

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.pool import PoolProxiedConnection

AGAIN_SECONDS = 60.0
_DONE, _DUE, _LOG_DUE = range(3)
"""What SQLite keeps for us as `user_version`: nothing is due, all is, or only the log is to be emptied."""

_LOG = logging.getLogger(__name__)


class Compaction:
    """Compacts a database after somebody was erased; where it has no room for that, from time to time until it has."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._next: float | None = 0.0 if engine.dialect.name == "sqlite" else None  # an earlier process may owe it

    def ask(self, connection: Connection) -> None:
        """Let it be due once the transaction of `connection` is kept."""
        if self._engine.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA user_version = {_DUE}")
            self._next = 0.0

    def go_on(self) -> None:
        """Do what is due, between two transactions. Where that fails the log says so, and nobody's transaction does."""
        if self._next is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + AGAIN_SECONDS
        try:
            with closing(self._engine.raw_connection()) as connection:  # one that begins no transaction by itself
                _compact(connection)
        except (sqlite3.Error, NoFreeConnection) as error:
            _LOG.warning("what was erased is left in the database's files, to be tried again in a minute: %s", error)
        else:
            self._next = None


def _compact(connection: PoolProxiedConnection) -> None:
    cursor = connection.cursor()

    def empty_log() -> None:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if (cursor.fetchone() or (1,))[0]:
            raise sqlite3.OperationalError("somebody reads it")

    def note(due: int) -> None:
        cursor.execute(f"PRAGMA user_version = {due}")

    cursor.execute("PRAGMA user_version")
    (due,) = cursor.fetchone() or (_DONE,)
    if due == _DONE:
        return
    if due == _DUE:
        try:
            cursor.execute("VACUUM")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                empty_log()  # or what it had written takes all the room that there is
            raise
        note(_LOG_DUE)
    empty_log()
    note(_DONE)
