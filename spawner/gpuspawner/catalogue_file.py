"""The lab's pool.yaml as the hub sees it: read again when it changes, and the last good one kept when it is broken."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from logging import Logger
from pathlib import Path

from labpool.settings import Catalogue, InvalidPoolFile, load_pool_file, pool_file_path


class CatalogueFile:
    """A pool.yaml in use.

    Args:
        path: The file.

    Raises:
        InvalidPoolFile: the file is broken at the first reading; later a broken one leaves the old values in force.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._seen = path, _stamp(path)
        self._catalogue = load_pool_file(path).catalogue

    def current(self, log: Logger) -> Catalogue:
        """The values in force now."""
        stamp = _stamp(self._path)
        if stamp != self._seen:
            self._seen = stamp
            self._read_again(log)
        return self._catalogue

    def _read_again(self, log: Logger) -> None:
        try:
            self._catalogue = load_pool_file(self._path).catalogue
        except InvalidPoolFile as error:
            log.error("pool.yaml changed and is broken; the values from before stay in force\n%s", error)
        else:
            log.info("pool.yaml changed and is in force: %s", self._path)


@cache
def shared_catalogue(path: Path) -> CatalogueFile:
    """One CatalogueFile for all spawners of this hub."""
    return CatalogueFile(path)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def pool_file_in_use(environ: Mapping[str, str]) -> Path:
    """Path of the pool.yaml that `environ` names, once it is known to be sound.

    Raises:
        SystemExit: it is broken; the message is that of `labpool check`.
    """
    path = pool_file_path(environ)
    try:
        shared_catalogue(path)
    except InvalidPoolFile as error:
        raise SystemExit(str(error)) from error
    return path
