"""Reading what people were told."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from labpool.domain.tickets import State
from labpool.store.models import NoticeRow, TicketRow
from labpool.store.records import Notice

_NEWEST = (
    select(func.max(NoticeRow.id))
    .where(NoticeRow.ticket.in_(bindparam("tickets", expanding=True)))
    .group_by(NoticeRow.ticket)
)
_OF_ONE_KIND = _NEWEST.where(NoticeRow.kind == bindparam("kind"))
_COLUMNS = select(*(NoticeRow.__table__.c[field.name] for field in fields(Notice)))
_LAST_NUMBER = select(func.max(NoticeRow.id))
_NUMBERED = _COLUMNS.add_columns(NoticeRow.id).order_by(NoticeRow.id)
_OF_USER = select(TicketRow.id).where(TicketRow.user == bindparam("user"))
_NEWEST_OF_OPEN = (
    select(func.max(NoticeRow.id))
    .where(NoticeRow.ticket.in_(_OF_USER.where(TicketRow.state != State.ENDED.value)))
    .group_by(NoticeRow.ticket)
)
_AFTER = _NUMBERED.where(NoticeRow.id > bindparam("after"), NoticeRow.ticket.in_(_OF_USER))
_STANDING = _NUMBERED.where(NoticeRow.id.in_(_NEWEST_OF_OPEN))
_LAST, _LAST_OF_ONE_KIND = (_COLUMNS.where(NoticeRow.id.in_(newest)) for newest in (_NEWEST, _OF_ONE_KIND))


class Told(NamedTuple):
    """Notices with their numbers, in the order of telling; `last` is the number up to which nothing is left out."""

    notices: tuple[tuple[int, Notice], ...]
    last: int


def told(connection: Connection, user: str, after: int | None) -> Told:
    """What a user was told after the notice with that number; without one, the newest of each open ticket.

    A number that was never given out, as the store was set back to a backup meanwhile, is none.
    """
    last = connection.execute(_LAST_NUMBER).scalar() or 0
    is_known = after is not None and after <= last
    query, which = (_AFTER, {"user": user, "after": after}) if is_known else (_STANDING, {"user": user})
    found = [dict(row) for row in connection.execute(query, which).mappings()]
    return Told(tuple((row.pop("id"), Notice(**row)) for row in found), last)


def last_ones(connection: Connection, tickets: Collection[str], kind: str | None = None) -> dict[str, Notice]:
    """The last notice of each of some tickets, of one kind or at all; in one query, for a page shows many of them."""
    query, which = (_LAST, {}) if kind is None else (_LAST_OF_ONE_KIND, {"kind": kind})
    found = connection.execute(query, {"tickets": list(tickets), **which}).mappings()
    return {row["ticket"]: Notice(**row) for row in found}
