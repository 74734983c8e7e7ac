"""Opening the pool's database: which kinds there are, and which schema it has."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DBAPIError

from labpool.settings.file_systems import network_file_system
from labpool.store.errors import UnusableDatabase, first_line
from labpool.store.postgresql import OLDEST, postgresql_engine
from labpool.store.sqlite import sqlite_engine

MIGRATIONS = Path(__file__).parent / "migrations"
_EXPECTED = "expected sqlite:////FOLDER/pool.sqlite or postgresql://USER:PASSWORD@HOST/DATABASE"


def connect(url: str) -> Engine:
    """An engine for `url`, such as sqlite:////data/pool.sqlite; nothing is connected yet.

    Raises:
        UnusableDatabase: it is no URL, or names no kind of database that the pool knows.
    """
    parsed = _parsed(url)
    match parsed.drivername:
        case "sqlite":
            return sqlite_engine(parsed)
        case "postgresql" | "postgresql+psycopg":
            return postgresql_engine(parsed)
    raise UnusableDatabase(
        f"The pool's database is named with the scheme \"{parsed.drivername}\", which the pool can't use; {_EXPECTED}. "
        "Set LABPOOL_DATABASE to one of these, or leave it out for a file in the data folder."
    )


def name_of(url: URL | str) -> str:
    """What people call the database: a file's path, or database and host. Never a password."""
    url = make_url(url)
    if url.get_backend_name() == "sqlite":
        return url.database or ""
    return f'PostgreSQL database "{url.database}" of user "{url.username}" at {url.host}:{url.port or 5432}'


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to `revision`; nothing happens where it is there already.

    Raises:
        UnusableDatabase: it can't be opened, or its schema is that of a newer release.
    """
    _refuse_network(engine.url)
    try:
        with engine.begin() as connection:
            refuse_newer(connection)
            command.upgrade(alembic_config(connection), revision)
    except DBAPIError as error:
        raise UnusableDatabase(
            f"The pool's database can't be opened: {name_of(engine.url)}. It said: {first_line(error)}. Expected "
            f"{_expected(engine)}. See that it runs and that LABPOOL_DATABASE names it, its user and the password."
        ) from error


def refuse_newer(connection: Connection) -> None:
    """Let nothing be done to a schema that this release doesn't know.

    Raises:
        UnusableDatabase: the schema is that of a newer release.
    """
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in known_revisions():
        raise UnusableDatabase(
            f"{name_of(connection.engine.url)} has the schema {found}, which this release of labpool doesn't know: a "
            "newer one made it. Install that release again, or restore a backup from before it."
        )


def known_revisions() -> frozenset[str]:
    """All schemas that this release can bring up to date."""
    return frozenset(script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions())


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for one open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # what was given is not repeated, for there may be a password in it; nor is the cause, which repeats it
        raise UnusableDatabase(
            f"LABPOOL_DATABASE is not the URL of a database; {_EXPECTED}, with %xx for odd characters of a password."
        ) from None
    if not parsed.database:
        raise UnusableDatabase(f"LABPOOL_DATABASE names no database, only where one would be; {_EXPECTED}.")
    return parsed


def _refuse_network(url: URL) -> None:
    if url.get_backend_name() != "sqlite":
        return
    kind = network_file_system(Path(url.database or "").absolute().parent)
    if kind is not None:
        raise UnusableDatabase(
            f"{url.database} lies on a network file system ({kind}), where SQLite can lose data. Expected a local "
            "disk. Set LABPOOL_DATABASE to a file on one, or to a PostgreSQL database."
        )


def _expected(engine: Engine) -> str:
    if engine.dialect.name == "sqlite":
        return "a file that this user may write, in a folder that is there"
    return f"PostgreSQL {OLDEST} or newer with a database of the pool's own"
