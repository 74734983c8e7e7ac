"""How PostgreSQL keeps the pool's word."""

from __future__ import annotations

import time
from functools import partial

from psycopg import Error
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from labpool.store.sqlite import READS_ONLY

OLDEST = 15
"""The oldest release that is tested."""

APPLICATION = "labpool"
"""By what name the server knows our connections."""

WRITER = 0x6C6162706F6F6C
""""labpool" as a number: the advisory lock of whoever writes. Such locks are apart for each database."""

WRITES_BESIDE = "labpool_writes_beside"
"""Execution option of an engine whose transactions write what no decision reads, and so need not wait for one."""

_UNTRIED_SECONDS = 0.1
"""No server restarts sooner; trying a connection costs as much as a statement."""

_USED = "labpool_used"

_SESSION = {
    "synchronous_commit": "on",
    "lock_timeout": "10s",
    # A process that is stopped in the middle of a transaction loses it, or nobody could ever take its place.
    "idle_in_transaction_session_timeout": "15s",
}
_CONNECTION = {
    "application_name": APPLICATION,
    "options": " ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
    "connect_timeout": 5,
    # A server that is gone without a word is noticed in seconds, as is one behind a dropped connection.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def postgresql_engine(url: URL) -> Engine:
    """An engine whose transactions are on disk once they are committed, and of which one writes at a time.

    Who writes holds an advisory lock from the beginning, as with SQLite: decisions are serial, and none fails later
    because of another one. A connection is tried before it is used after a pause, so a restart of the server costs no
    request that comes after it.
    """
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args=_CONNECTION,
        isolation_level="READ COMMITTED",
        hide_parameters=True,  # they name people, and errors are logged
    )
    event.listen(engine, "handle_error", _leave_values_out)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_try_out, engine.dialect))
    return engine


def _leave_values_out(failure: ExceptionContext) -> None:
    """Keep what the server says went wrong, not its details: these tell a row's values, and so may name a person."""
    said = failure.original_exception.diag.message_primary if isinstance(failure.original_exception, Error) else None
    if said is not None:
        failure.original_exception.args = (said,)
        if failure.sqlalchemy_exception is not None:
            failure.sqlalchemy_exception.args = (f"({type(failure.original_exception).__name__}) {said}",)


def _note_use(connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    entry.info[_USED] = time.monotonic()


def _try_out(
    dialect: Dialect, connection: DBAPIConnection, entry: ConnectionPoolEntry, proxy: PoolProxiedConnection
) -> None:
    """Leave it to the pool to connect anew where a connection is dead; one that is new or was just used lives."""
    if _USED not in entry.info or time.monotonic() - entry.info[_USED] < _UNTRIED_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(READS_ONLY, False):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")  # as at one moment
    elif not options.get(WRITES_BESIDE, False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER})")
