"""Backups of a SQLite file, by SQLite's own online backup: no writer waits, and what is copied is of one moment."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from labpool.store.backup_errors import BackupFailed, in_use, no_backup, refuse_newer_backup
from labpool.store.file_lock import FileLock
from labpool.store.sqlite import BUSY_MS


def write(database: Path, unfinished: Path) -> None:
    """Copy the database into the empty file `unfinished`, which is then complete without any file beside it.

    Raises:
        BackupFailed: there is no such database, or it can't be read or the copy not be written.
    """
    if not database.is_file():
        raise BackupFailed(
            f"{database}: no such file. Expected the store of a pool that has run; LABPOOL_DATA names its data folder."
        )
    try:
        with closing(_opened(database, "ro")) as source, closing(sqlite3.connect(unfinished)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise BackupFailed(f"{database} can't be copied: {error}. Is there room, and is it a pool's store?") from error


def restore(database: Path, source: Path) -> None:
    """Make the database the same as the backup, in one transaction.

    Raises:
        BackupFailed: a pool uses the database, or `source` can't be restored.
    """
    _check(source)
    lock = FileLock(database)
    try:
        if not lock.take("labpool db restore"):
            raise in_use(str(database), f"the pool of {lock.holder()}")
        with closing(_opened(source, "ro")) as backup, closing(_opened(database, "rwc")) as target:
            target.execute("PRAGMA journal_mode=WAL")
            target.execute("PRAGMA synchronous=FULL")
            backup.backup(target)
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(
            f"{database} was left as it was: {error}. Expected a file of yours, with room, that nobody uses."
        ) from error
    finally:
        lock.give_back()


def _check(source: Path) -> None:
    try:
        with closing(_opened(source, "ro")) as backup:
            (verdict,) = backup.execute("PRAGMA quick_check(1)").fetchone()
            found = backup.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise no_backup(source, str(error)) from error
    if verdict != "ok":
        raise no_backup(source, f"it is damaged ({verdict})")
    refuse_newer_backup(source, found[0] if found else None)


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    return connection
