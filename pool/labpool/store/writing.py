"""Writing rows by plain statements.

What every decision writes goes this way: a session's own bookkeeping of objects would cost several times as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Table, bindparam
from sqlalchemy.orm import Session

from labpool.store.models import Base

Columns = Mapping[str, object]
"""Values by the names of their columns."""

_WHICH = "which_row"


def add(session: Session, kind: type[Base], rows: Sequence[Columns]) -> None:
    """Add rows of a kind; none is fine."""
    if rows:
        session.execute(_table(kind).insert(), [dict(row) for row in rows])


def add_numbered(session: Session, kind: type[Base], row: Columns) -> int:
    """Add a row whose key, `id`, the database counts; give that."""
    table = _table(kind)
    number: int = session.execute(table.insert().returning(table.c.id), dict(row)).scalar_one()
    return number


def change(session: Session, kind: type[Base], key: str, value: object, row: Columns) -> None:
    """Write `row` over all rows of a kind whose column `key` has this value."""
    table = _table(kind)
    session.execute(table.update().where(table.c[key] == bindparam(_WHICH)), dict(row) | {_WHICH: value})


def _table(kind: type[Base]) -> Table:
    table = kind.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{kind.__name__} is no table")
    return table
