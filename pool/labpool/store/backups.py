"""Copies of the whole store in one file, made while the pool runs, and the way back."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from labpool.store import postgresql_backups, sqlite_backups
from labpool.store.backup_errors import BackupFailed
from labpool.store.database import connect, migrate, name_of
from labpool.store.errors import first_line
from labpool.store.models import TicketRow
from labpool.store.records import AuditEntry
from labpool.store.sqlite import READS_ONLY
from labpool.store.store import Store

_OPERATOR = "operator"
"""Who uses the command on the pool's machine, as the hub calls them."""


def write_backup(url: str, target: Path) -> None:
    """Write what the database at `url` holds at one moment into the new file `target`; the pool may be running.

    The file is there whole or not at all, and only this user may read it.

    Raises:
        BackupFailed: there is such a file already, it can't be written, or the database can't be read.
        UnusableDatabase: `url` names no database that the pool can use.
    """
    engine = connect(url)
    with _new_file(target) as unfinished:
        if engine.dialect.name == "sqlite":
            sqlite_backups.write(Path(engine.url.database or ""), unfinished)
        else:
            postgresql_backups.write(engine.url, unfinished)


def restore_backup(url: str, source: Path, replace: bool = False) -> None:
    """Make the database at `url` what it was when the backup `source` was made; all of it, or nothing is changed.

    Raises:
        BackupFailed: a pool uses the database; it has tickets and they may not be replaced; `source` is no backup of
            this kind of database, is damaged or of a newer release.
        UnusableDatabase: `url` names no database that the pool can use.
    """
    engine = connect(url)
    if not source.is_file():
        raise BackupFailed(f"{source}: no such file. Expected one that `labpool db backup` wrote.")
    try:
        if not replace:
            _refuse_to_replace(engine)
        if engine.dialect.name == "sqlite":
            sqlite_backups.restore(Path(engine.url.database or ""), source)
        else:
            postgresql_backups.restore(engine.url, source)
    except DBAPIError as error:
        raise BackupFailed(
            f"{name_of(engine.url)} can't be opened: {first_line(error)}. Expected a database of the pool's own; see "
            "that it runs and that LABPOOL_DATABASE names it."
        ) from error


def note_restored(url: str, source: Path, at: datetime) -> None:
    """Bring a restored store up to date, and tell in its audit trail of the restore: rows after the backup are gone.

    Raises:
        UnusableDatabase: it can't be brought up to date.
    """
    engine = connect(url)
    try:
        migrate(engine)
        detail = f"from a backup with the sha256 {_digest(source)}"
        with Store(engine).transaction() as change:
            change.audit(AuditEntry(at, _OPERATOR, "restored", None, detail))
    finally:
        engine.dispose()


def _digest(source: Path) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as parts:
        for part in iter(lambda: parts.read(1 << 20), b""):
            digest.update(part)
    return digest.hexdigest()


def _refuse_to_replace(engine: Engine) -> None:
    try:
        known = _has_tickets(engine)
    finally:
        engine.dispose()
    if known:
        raise BackupFailed(
            f"{name_of(engine.url)} holds tickets, which a restore would replace. Make a backup of it first, then "
            "restore with --replace."
        )


def _has_tickets(engine: Engine) -> bool:
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        return False
    with Session(engine.execution_options(**{READS_ONLY: True})) as session:
        there = inspect(session.connection()).has_table(TicketRow.__tablename__)
        return there and session.scalars(select(TicketRow.id).limit(1)).first() is not None


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """A file beside `target` that becomes it once the block is left, where there is none yet."""
    if target.exists():
        raise _there_already(target)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise BackupFailed(f"{target} can't be written: {error.strerror}. Name a file in a folder of yours.") from error
    unfinished = Path(name)
    try:
        yield unfinished
        os.fsync(handle)
        os.link(unfinished, target)  # unlike a rename it replaces nothing
        _fsync_folder(target.parent)
    except FileExistsError as error:
        raise _there_already(target) from error
    finally:
        os.close(handle)
        unfinished.unlink()


def _there_already(target: Path) -> BackupFailed:
    return BackupFailed(f"{target} is there already, and a backup replaces nothing. Name another file.")


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
