"""Requests that any pool process takes down, and the one that leads carries out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import JSON, ColumnElement, Engine, Index, Integer, String, Text, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from labpool.store.errors import told_apart
from labpool.store.leadership import Leadership
from labpool.store.models import FREE_TEXT, PERSON, Base, UtcDateTime
from labpool.store.postgresql import WRITES_BESIDE
from labpool.store.sqlite import READS_ONLY


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as it came: `target` is path and query, `caller` who is behind it, by the rules of the service.

    `user` is the caller's name, empty for a part of labpool.
    """

    id: str
    user: str
    caller: Mapping[str, object]
    method: str
    target: str
    headers: Mapping[str, str]
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request."""

    status: int
    headers: Mapping[str, str]
    body: str


class InboxRow(Base):
    """A request: waits until it is taken, and is kept a while once it is answered."""

    __tablename__ = "inbox"
    __table_args__ = (Index("inbox_by_time", "answered_at", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user: Mapped[str] = mapped_column(String(255), info=PERSON)
    caller: Mapped[dict[str, object]] = mapped_column(JSON)
    method: Mapped[str] = mapped_column(String(8))
    target: Mapped[str] = mapped_column(Text, info=FREE_TEXT)
    headers: Mapped[dict[str, str]] = mapped_column(JSON)
    body: Mapped[str] = mapped_column(Text, info=FREE_TEXT)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status: Mapped[int | None] = mapped_column(Integer)
    answer_headers: Mapped[dict[str, str] | None] = mapped_column(JSON)
    answer_body: Mapped[str | None] = mapped_column(Text, info=FREE_TEXT)


class Inbox:
    """The requests of all processes of a pool; putting and looking is for all, the rest for the one that leads.

    Args:
        engine: The pool's database.
        leadership: Says whether this process leads.
    """

    def __init__(self, engine: Engine, leadership: Leadership) -> None:
        self._engine, self._leadership = engine, leadership

    def put(self, entry: Entry) -> None:
        """Take a request down; it waits for nobody, not even for a leader that hangs while it decides.

        Raises:
            StoreUnavailable: the database is down or too slow.
            Unstorable: something in it no database holds.
        """
        columns = {name: getattr(entry, name) for name in Entry.__slots__}
        beside = self._engine.execution_options(**{WRITES_BESIDE: True})
        with told_apart(), Session(beside) as session, session.begin():
            session.add(InboxRow(**columns))

    def find(self, entry_id: str) -> tuple[Entry, Answer | None] | None:
        """A request, and its answer if there is one.

        Raises:
            StoreUnavailable: the database is down or too slow.
        """
        with self._reading() as session:
            row = session.get(InboxRow, entry_id)
            return (_entry(row), _answer(row)) if row else None

    def waiting(self) -> bool:
        """Whether anything is to be carried out."""
        with self._reading() as session:
            return session.scalars(select(InboxRow.id).where(_untaken()).limit(1)).first() is not None

    def take(self, now: datetime) -> tuple[Entry, ...]:
        """Take what waits, oldest first. What was taken is never given again, for it may have been carried out.

        Raises:
            NotLeading: another process leads.
            StoreUnavailable: the database is down or too slow.
        """
        with self._leading() as session:
            rows = session.scalars(select(InboxRow).where(_untaken()).order_by(InboxRow.at, InboxRow.id)).all()
            for row in rows:
                row.taken_at = now
            return tuple(map(_entry, rows))

    def answer(self, entry_id: str, answer: Answer, now: datetime) -> None:
        """Note what became of a request; raises as `take`."""
        with self._leading() as session:
            session.execute(update(InboxRow).where(InboxRow.id == entry_id).values(_columns(answer, now)))

    def answer_left_behind(self, answer: Answer, now: datetime) -> None:
        """Give an answer to all that an earlier leader took and did not answer; raises as `take`."""
        with self._leading() as session:
            left = InboxRow.taken_at.is_not(None) & InboxRow.answered_at.is_(None)
            session.execute(update(InboxRow).where(left).values(_columns(answer, now)))

    def forget(self, before: datetime) -> None:
        """Delete what was answered before that; raises as `take`."""
        with self._leading() as session:
            session.execute(delete(InboxRow).where(InboxRow.answered_at < before))

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with told_apart(), Session(self._engine.execution_options(**{READS_ONLY: True})) as session, session.begin():
            yield session

    @contextmanager
    def _leading(self) -> Iterator[Session]:
        with told_apart(), Session(self._engine) as session, session.begin():
            self._leadership.check(session.connection())
            yield session


def _untaken() -> ColumnElement[bool]:
    return InboxRow.taken_at.is_(None) & InboxRow.answered_at.is_(None)


def _columns(answer: Answer, now: datetime) -> dict[str, object]:
    return {
        "answered_at": now,
        "status": answer.status,
        "answer_headers": dict(answer.headers),
        "answer_body": answer.body,
    }


def _entry(row: InboxRow) -> Entry:
    return Entry(row.id, row.user, row.caller, row.method, row.target, row.headers, row.body, row.at)


def _answer(row: InboxRow) -> Answer | None:
    if row.status is None:
        return None
    return Answer(row.status, row.answer_headers or {}, row.answer_body or "")
