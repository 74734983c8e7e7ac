"""Looking into a pool's store without disturbing the pool, which may be running."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import NullPool, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from labpool.store.database import BUSY_MS, READS_ONLY, begin


class UnreadableStore(Exception):
    """The file can't be read as a pool's store; the message says why and what to do."""


@contextmanager
def reading(path: Path) -> Iterator[Session]:
    """The store in the file at `path` as at one moment. It is opened for reading only, and no writer waits for it.

    Raises:
        UnreadableStore: there is no such file, it may not be read, or is not a store of this release.
    """
    if not path.is_file():
        raise UnreadableStore(
            f"{path}: no such file. Expected the store of a pool that has run; name its data folder with --data or "
            "LABPOOL_DATA, as `make hub` prints it."
        )
    engine = create_engine("sqlite://", creator=lambda: _open(path), poolclass=NullPool)
    event.listen(engine, "begin", begin)
    try:
        with Session(engine.execution_options(**{READS_ONLY: True})) as session, session.begin():
            yield session
    except DatabaseError as error:
        raise UnreadableStore(
            f"{path}: can't be read as a pool's store ({error.orig}). Expected one of this release, in a folder that "
            "you may read; one of an earlier release is brought up to date when the pool starts."
        ) from error


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    return connection
