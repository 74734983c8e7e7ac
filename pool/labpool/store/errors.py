"""What can be wrong with the pool's database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

_SQLITE_FULL = "database or disk is full"  # its code is told from Python 3.11 on only
_POSTGRESQL_FULL = "53100"


class UnusableDatabase(Exception):
    """The database can't be used as the pool's; the message says why and what to do, and tells no password."""


class Unstorable(Exception):
    """A text that no database holds: one that is too long, or has the character NUL. Nothing was kept."""


class StoreUnavailable(Exception):
    """The database doesn't answer or can't write now; what was being done may or may not have been kept."""


class StoreFull(StoreUnavailable):
    """There is no room to write; what was being done was not kept."""


@contextmanager
def told_apart() -> Iterator[None]:
    """Tell trouble with the database itself from mistakes of ours.

    Raises:
        StoreFull: it has no room left.
        StoreUnavailable: it is down, locked or too slow.
        Unstorable: it works, and can't hold what it was given.
    """
    try:
        yield
    except NoFreeConnection as error:
        raise StoreUnavailable("the pool's database is too slow: all connections to it are busy") from error
    except DataError as error:
        raise Unstorable(first_line(error)) from error
    except DBAPIError as error:
        if not (error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)):
            raise
        if _is_full(error):
            raise StoreFull(f"the pool's database has no room left: {first_line(error)}") from error
        raise StoreUnavailable(f"the pool's database can't be used now: {first_line(error)}") from error


def _is_full(error: DBAPIError) -> bool:
    return str(error.orig) == _SQLITE_FULL or getattr(error.orig, "sqlstate", None) == _POSTGRESQL_FULL


def first_line(error: DBAPIError) -> str:
    """What the database said, without its hints and our statement."""
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "it gave no reason"
