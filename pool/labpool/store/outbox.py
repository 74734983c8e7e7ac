"""The outbox: what is to be sent, written in the transaction that it tells of, and kept until it is done."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from labpool.store.models import NoticeRow
from labpool.store.records import Delivery, Outcome, Way
from labpool.store.rows import notice_from
from labpool.store.sending_models import DeliveryRow


class Outbox:
    """Deliveries within one transaction; only a `Transaction` makes one."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def post(self, user: str, way: Way, at: datetime, notice: int | None = None) -> None:
        """Add a delivery of a stored notice; without one, of the mail that confirms the user's address."""
        row = DeliveryRow(
            id=secrets.token_hex(16), notice=notice, user=user, way=way.value, made_at=at, due_at=at, tries=0
        )
        self._session.add(row)
        self._session.flush()

    def is_due(self, way: Way, now: datetime) -> bool:
        """Whether anything is to be sent now."""
        return self._session.scalars(_open(way).where(DeliveryRow.due_at <= now).limit(1)).first() is not None

    def claim(
        self, way: Way, now: datetime, until: datetime, most: int, but: Collection[str] = ()
    ) -> tuple[Delivery, ...]:
        """Take up to `most` due deliveries, one a user, for users other than `but`: they are due again `until` then.

        Who claims sends and says so. Where that never happens, because the process was killed, the delivery is tried
        anew at that time.
        """
        query = _open(way).where(DeliveryRow.due_at <= now)
        if but:
            query = query.where(DeliveryRow.user.not_in(but))
        rows: dict[str, DeliveryRow] = {}
        for row in self._session.scalars(query.limit(10 * most)):
            if len(rows) < most:
                rows.setdefault(row.user, row)
        for row in rows.values():
            row.due_at, row.tries = until, row.tries + 1
        self._session.flush()
        return tuple(self._delivery(row) for row in rows.values())

    def put_off(self, delivery: str, until: datetime, uncounted: bool = False) -> None:
        """Try a delivery again at `until`; `uncounted`: it was not tried now, so this counts for nothing."""
        row = self._row(delivery)
        row.due_at, row.tries = until, row.tries - int(uncounted)
        self._session.flush()

    def done(self, delivery: str, at: datetime, outcome: Outcome) -> None:
        """Note what became of a delivery: it is not tried again."""
        row = self._row(delivery)
        row.done_at, row.outcome = at, outcome.value
        self._session.flush()

    def has_done(self, before: datetime) -> bool:
        """Whether there is a delivery that was done before then."""
        return self._session.scalar(select(DeliveryRow.id).where(DeliveryRow.done_at < before).limit(1)) is not None

    def forget(self, before: datetime, most: int) -> None:
        """Remove up to `most` deliveries that were done before then; their notices stay."""
        done = select(DeliveryRow.id).where(DeliveryRow.done_at < before).limit(most)
        self._session.execute(delete(DeliveryRow).where(DeliveryRow.id.in_(self._session.scalars(done).all())))

    def confirmations(self, user: str, since: datetime) -> int:
        """How many mails to confirm an address were made for a user since then."""
        query = select(func.count()).where(
            DeliveryRow.user == user, DeliveryRow.notice.is_(None), DeliveryRow.made_at >= since
        )
        return self._session.scalar(query) or 0

    def waiting(self) -> dict[Way, int]:
        """How many deliveries are not done, by way."""
        query = (
            select(DeliveryRow.way, func.count().label("number"))
            .where(DeliveryRow.done_at.is_(None))
            .group_by(DeliveryRow.way)
        )
        found: dict[str, int] = {row.way: row.number for row in self._session.execute(query)}
        return {way: found.get(way.value, 0) for way in Way}

    def _row(self, delivery: str) -> DeliveryRow:
        return self._session.get_one(DeliveryRow, delivery)

    def _delivery(self, row: DeliveryRow) -> Delivery:
        found = self._session.get(NoticeRow, row.notice) if row.notice is not None else None
        notice = notice_from(found) if found else None
        return Delivery(row.id, row.user, Way(row.way), row.made_at, row.due_at, row.tries, notice)


def _open(way: Way) -> Select[DeliveryRow]:
    query = select(DeliveryRow).where(DeliveryRow.way == way.value, DeliveryRow.done_at.is_(None))
    return query.order_by(DeliveryRow.due_at, DeliveryRow.made_at)
