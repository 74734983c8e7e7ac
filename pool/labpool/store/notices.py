"""Reading what people were told."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from labpool.store import rows
from labpool.store.models import NoticeRow
from labpool.store.records import Notice


def last_ones(session: Session, tickets: Collection[str], kind: str | None = None) -> dict[str, Notice]:
    """The last notice of each of some tickets, of one kind or at all; in one query, for a page shows many of them."""
    newest = select(func.max(NoticeRow.id)).where(NoticeRow.ticket.in_(tickets)).group_by(NoticeRow.ticket)
    if kind is not None:
        newest = newest.where(NoticeRow.kind == kind)
    found = session.scalars(select(NoticeRow).where(NoticeRow.id.in_(newest)))
    return {row.ticket: rows.notice_from(row) for row in found}
