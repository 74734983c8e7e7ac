"""Reading what people were told."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from labpool.store.models import NoticeRow
from labpool.store.records import Notice

_NEWEST = (
    select(func.max(NoticeRow.id))
    .where(NoticeRow.ticket.in_(bindparam("tickets", expanding=True)))
    .group_by(NoticeRow.ticket)
)
_OF_ONE_KIND = _NEWEST.where(NoticeRow.kind == bindparam("kind"))
_COLUMNS = select(*(NoticeRow.__table__.c[field.name] for field in fields(Notice)))
_LAST, _LAST_OF_ONE_KIND = (_COLUMNS.where(NoticeRow.id.in_(newest)) for newest in (_NEWEST, _OF_ONE_KIND))


def last_ones(connection: Connection, tickets: Collection[str], kind: str | None = None) -> dict[str, Notice]:
    """The last notice of each of some tickets, of one kind or at all; in one query, for a page shows many of them."""
    query, which = (_LAST, {}) if kind is None else (_LAST_OF_ONE_KIND, {"kind": kind})
    found = connection.execute(query, {"tickets": list(tickets), **which}).mappings()
    return {row["ticket"]: Notice(**row) for row in found}
