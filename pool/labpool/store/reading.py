"""Looking into a pool's store without disturbing the pool, which may be running."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from labpool.store.database import connect, name_of
from labpool.store.errors import UnusableDatabase, first_line
from labpool.store.sqlite import BUSY_MS, READS_ONLY, begin


class UnreadableStore(Exception):
    """The database can't be read as a pool's store; the message says why and what to do."""


@contextmanager
def reading(url: str) -> Iterator[Session]:
    """The store at `url` as at one moment. It is opened for reading only, and no writer waits for it.

    Raises:
        UnreadableStore: there is none, it may not be read, or is not a store of this release.
    """
    try:
        engine = _only_read(connect(url))
    except UnusableDatabase as error:
        raise UnreadableStore(str(error)) from error
    try:
        with Session(engine.execution_options(**{READS_ONLY: True})) as session, session.begin():
            yield session
    except DatabaseError as error:
        raise UnreadableStore(
            f"{name_of(engine.url)}: can't be read as a pool's store ({first_line(error)}). Expected one of this "
            "release that you may read; one of an earlier release is brought up to date when the pool starts."
        ) from error
    finally:
        engine.dispose()


def check_store(url: str) -> str:
    """Look whether the store at `url` is sound, as far as its database can tell; give its schema.

    Raises:
        UnreadableStore: there is none, it may not be read, is not one of this release, or is damaged.
    """
    with reading(url) as session:
        if session.get_bind().dialect.name == "sqlite":
            said = session.execute(text("PRAGMA quick_check(1)")).scalar_one()
            if said != "ok":
                raise UnreadableStore(f"{name_of(url)} is damaged: {said}. Restore it from a backup.")
        schema: str = session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    return schema


def _only_read(engine: Engine) -> Engine:
    """The same database, of which nothing is written, also no file beside that of SQLite."""
    if engine.dialect.name != "sqlite":
        return engine
    path = Path(engine.url.database or "")
    if not path.is_file():
        raise UnreadableStore(
            f"{path}: no such file. Expected the store of a pool that has run; name its data folder with --data or "
            "LABPOOL_DATA, as `make hub` prints it."
        )
    reader = create_engine(engine.url, creator=lambda: _open(path), poolclass=NullPool, hide_parameters=True)
    event.listen(reader, "begin", begin)
    return reader


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    return connection
