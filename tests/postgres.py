"""A real PostgreSQL for tests: Debian's programs, a folder and a port of its own, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

from tests.ports import free_ports
from tests.real_hub import wait_until

PASSWORD = "a password/with: odd@characters"
URL_PASSWORD = "a%20password%2Fwith%3A%20odd%40characters"
_NEVER_ON_DISK = ("-c", "fsync=off", "-c", "full_page_writes=off")  # it only has to outlive the test


def program(name: str) -> str | None:
    """Path of one of PostgreSQL 15's programs, which Debian keeps off the search path; None where it is missing."""
    return shutil.which(name, path=f"/usr/lib/postgresql/15/bin:{os.environ.get('PATH', '')}")


@dataclass
class RunningPostgres:
    """A server of the test's own. Its user `labpool` may make databases and has `PASSWORD`."""

    folder: Path
    port: int
    host: str = "127.0.0.1"
    within: Sequence[str] = ()
    durable: bool = False
    _server: subprocess.Popen[bytes] | None = None

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"pool_{next(_numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, database: str) -> str:
        """What LABPOOL_DATABASE would name."""
        return f"postgresql://labpool:{URL_PASSWORD}@{self.host}:{self.port}/{database}"

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of its own, each statement a transaction."""
        return psycopg.connect(
            host=self.host, port=self.port, user="labpool", password=PASSWORD, dbname=database, autocommit=True
        )

    def start(self) -> None:
        """Start the server on what an earlier start left."""
        options = (
            "-D",
            str(self.folder / "data"),
            "-p",
            str(self.port),
            "-k",
            "",
            "-h",
            self._listens(),
            *(() if self.durable else _NEVER_ON_DISK),
        )
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [*self.within, *_run("postgres"), *options], stdout=log, stderr=log, cwd=self.folder
            )
        wait_until(self._answers, f"PostgreSQL's first answer (log: {self.folder}/log)")

    def stop(self) -> None:
        """Stop the server without waiting for who is connected."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # its fast shutdown
            self._server.wait(60)
            self._server = None

    def _listens(self) -> str:
        return "*" if self.within else self.host

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True


_numbers = count(1)


@contextlib.contextmanager
def running_postgres(
    host: str = "127.0.0.1", within: Sequence[str] = (), durable: bool = False
) -> Iterator[RunningPostgres]:
    """A new server. PostgreSQL refuses to run as root, so root runs it as Debian's user postgres.

    Args:
        host: Where the test reaches it.
        within: Command that starts another one in a network namespace; there it listens on all addresses.
        durable: Whether a commit waits for the disk, as PostgreSQL does by itself: for benchmarks.
    """
    folder = Path(tempfile.mkdtemp(prefix="labpool-postgres-"))  # pytest's own folders are closed to other users
    server = RunningPostgres(folder, free_ports(1)[0], host, within, durable)
    try:
        (folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        asked = ("--username=labpool", f"--pwfile={folder}/password", "--auth=scram-sha-256", "--no-sync")
        plain = ("--encoding=UTF8", "--locale=C.UTF-8")
        command = [*_run("initdb"), "-D", str(folder / "data"), *asked, *plain]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        with (folder / "data/pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet scram-sha-256\n")
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _run(name: str) -> list[str]:
    path = program(name)
    assert path is not None, f"no {name} of PostgreSQL 15 here (Debian: apt-get install postgresql-15)"
    unprivileged = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return [*(unprivileged if os.geteuid() == 0 else ()), path]
