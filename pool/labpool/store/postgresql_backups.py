"""Backups of a PostgreSQL database, by PostgreSQL's own programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, inspect

from labpool.store.backup_errors import BackupFailed, in_use, no_backup, refuse_newer_backup
from labpool.store.database import name_of
from labpool.store.models import LeaderRow
from labpool.store.postgresql import APPLICATION, WRITER, postgresql_engine

_REVISION = re.compile(r"^COPY \S*alembic_version \(version_num\) FROM stdin;\n(\S+)\n\\\.$", re.MULTILINE)

_MAGIC = b"PGDMP"
_IN_USE = "labpool: in use"
_ALONE = f"""
SELECT pg_advisory_xact_lock({WRITER});
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{APPLICATION}')
  THEN RAISE EXCEPTION '{_IN_USE}'; END IF;
END $$;
"""  # noqa: S608 (constants of ours)


def write(url: URL, unfinished: Path) -> None:
    """Dump the database, as at one moment, into the file `unfinished`.

    Raises:
        BackupFailed: pg_dump is missing, or can't read the database.
    """
    # who leads now does not lead once this is restored
    options = ("--format=custom", f"--exclude-table-data={LeaderRow.__tablename__}", f"--file={unfinished}")
    _run("pg_dump", url, *options, f"--dbname={_conninfo(url)}")


def restore(url: URL, source: Path) -> None:
    """Put what the dump holds in the place of all tables, in one transaction.

    Raises:
        BackupFailed: a pool uses the database, `source` can't be restored, or a program of PostgreSQL's is missing.
    """
    with source.open("rb") as dump:
        if dump.read(len(_MAGIC)) != _MAGIC:
            raise no_backup(source, "it is no dump of a PostgreSQL database")
    _refuse_newer(url, source)
    script = _run("pg_restore", url, "--no-owner", "--no-privileges", "--file=-", str(source))
    whole = f"{_ALONE}{_drop_tables(url)}{script}"
    options = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1")
    _run("psql", url, *options, f"--dbname={_conninfo(url)}", stdin=whole)


def _refuse_newer(url: URL, source: Path) -> None:
    part = _run("pg_restore", url, "--data-only", "--table=alembic_version", "--file=-", str(source))
    found = _REVISION.search(part)
    refuse_newer_backup(source, found[1] if found else None)


def _drop_tables(url: URL) -> str:
    engine = postgresql_engine(url)
    with engine.connect() as connection:
        quote = connection.dialect.identifier_preparer.quote
        tables = [quote(table) for table in inspect(connection).get_table_names()]
    engine.dispose()  # or the check for others would find us
    return f"DROP TABLE {', '.join(tables)} CASCADE;\n" if tables else ""


def _run(program: str, url: URL, *arguments: str, stdin: str = "") -> str:
    found = shutil.which(program)
    if found is None:
        raise BackupFailed(
            f"{program} is missing, which comes with PostgreSQL's client programs of the server's release. Install "
            "them (Debian: apt-get install postgresql-client)."
        )
    # the password goes by the environment, where other people of this machine can't read it
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password is not None else {})}
    done = subprocess.run(
        [found, *arguments], input=stdin, env=environment, capture_output=True, text=True, check=False
    )
    if _IN_USE in done.stderr:
        raise in_use(name_of(url), "a pool or another labpool command")
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise BackupFailed(f"{program} failed on {name_of(url)}: {said[0]}. Nothing was changed.")
    return done.stdout


def _conninfo(url: URL) -> str:
    named = url.translate_connect_args(username="user", database="dbname")
    named.pop("password", None)
    return make_conninfo(**named, **{key: str(value) for key, value in url.query.items() if key != "password"})
