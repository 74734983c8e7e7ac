"""pool.yaml in use: read again when it changes, and the last good one kept when it is broken."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from logging import Logger
from pathlib import Path

from labpool.settings.findings import InvalidPoolFile
from labpool.settings.pool_file import PoolFile, load_pool_file
from labpool.settings.ports import pool_file_path


class WatchedPoolFile:
    """A pool.yaml in use, by the hub or by the pool. `errors` says what is wrong with the file as it is now.

    Args:
        path: The file.

    Raises:
        InvalidPoolFile: the file is broken at the first reading; later a broken one leaves the old values in force.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._seen = path, _stamp(path)
        self._file = load_pool_file(path)
        self.errors = ""

    def current(self, log: Logger) -> PoolFile:
        """The values in force now; a change is said to `log`."""
        stamp = _stamp(self._path)
        if stamp != self._seen:
            self._seen = stamp
            self._read_again(log)
        return self._file

    def _read_again(self, log: Logger) -> None:
        try:
            self._file = load_pool_file(self._path)
        except InvalidPoolFile as error:
            self.errors = str(error)
            log.error("pool.yaml changed and is broken; the values from before stay in force\n%s", error)
        else:
            self.errors = ""
            log.info("pool.yaml changed and is in force: %s", self._path)


@cache
def watched_pool_file(path: Path) -> WatchedPoolFile:
    """One WatchedPoolFile for all who ask in this process."""
    return WatchedPoolFile(path)


def sound_pool_file(environ: Mapping[str, str]) -> Path:
    """Path of the pool.yaml that `environ` names, once it is known to be sound.

    Raises:
        SystemExit: it is broken; the message is that of `labpool check`.
    """
    path = pool_file_path(environ)
    try:
        watched_pool_file(path)
    except InvalidPoolFile as error:
        raise SystemExit(str(error)) from error
    return path


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
