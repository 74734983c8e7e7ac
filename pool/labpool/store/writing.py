"""Writing rows by plain statements.

What every decision writes goes this way: a session's bookkeeping of objects would cost several times as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from sqlalchemy import Insert, Table, Update, bindparam
from sqlalchemy.engine import Connection
from sqlalchemy.sql.dml import ReturningInsert

from labpool.store.models import Base

Columns = Mapping[str, object]
"""Values by the names of their columns."""

_WHICH = "which_row"


def add(connection: Connection, kind: type[Base], rows: Sequence[Columns]) -> None:
    """Add rows of a kind; none is fine."""
    if rows:
        connection.execute(_insert(kind), [dict(row) for row in rows])


def add_numbered(connection: Connection, kind: type[Base], row: Columns) -> int:
    """Add a row whose key, `id`, the database counts; give that."""
    return connection.execute(_insert_numbered(kind), dict(row)).scalar_one()


def change(connection: Connection, kind: type[Base], key: str, value: object, row: Columns) -> None:
    """Write `row` over all rows of a kind whose column `key` has this value."""
    connection.execute(_update(kind, key), dict(row) | {_WHICH: value})


def change_each(connection: Connection, kind: type[Base], key: str, rows: Mapping[str, Columns]) -> None:
    """Write each row over that whose column `key` has its name; none is fine."""
    if rows:
        connection.execute(_update(kind, key), [dict(row) | {_WHICH: name} for name, row in rows.items()])


@cache
def _insert(kind: type[Base]) -> Insert:
    return _table(kind).insert()


@cache
def _insert_numbered(kind: type[Base]) -> ReturningInsert[int]:
    table = _table(kind)
    return table.insert().returning(table.c.id)


@cache
def _update(kind: type[Base], key: str) -> Update:
    table = _table(kind)
    return table.update().where(table.c[key] == bindparam(_WHICH))


def _table(kind: type[Base]) -> Table:
    table = kind.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{kind.__name__} is no table")
    return table
