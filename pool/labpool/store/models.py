"""The tables. Times are UTC to the microsecond; durations are seconds."""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import JSON, BigInteger, DateTime, Double, ForeignKey, Index, Integer, String, Text, false, text, true
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time, also where the database (SQLite) keeps none of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times, which would be read as another zone's; keep UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"got the naive time {value}; the store keeps aware times only")
        return value.astimezone(timezone.utc) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back that SQLite dropped."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


class Base(DeclarativeBase):
    """Base of all tables."""


PERSON = {"holds": "a person's name"}
FREE_TEXT = {"holds": "free text"}
"""Marks of columns in which erasing a person looks for the name: all of the column, or words of it."""


class TicketRow(Base):
    """A ticket. A user has one open ticket for each name at the most, whoever asks how often."""

    __tablename__ = "tickets"
    __table_args__ = (
        Index(
            "one_open_ticket",
            "kind",
            "user",
            "name",
            unique=True,
            sqlite_where=text("state != 'ended'"),
            postgresql_where=text("state != 'ended'"),
        ),
        Index("tickets_by_state", "state"),
        Index("tickets_by_request", "requested_at", "id"),
        Index("tickets_of_user", "user", "requested_at", "id"),
        Index("tickets_of_project", "project", "requested_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    priority: Mapped[str] = mapped_column(String(16), server_default="interactive")
    user: Mapped[str] = mapped_column(String(255), info=PERSON)
    groups: Mapped[list[str]] = mapped_column(JSON)
    name: Mapped[str] = mapped_column(String(255), info=FREE_TEXT)
    project: Mapped[str] = mapped_column(String(255))
    profile: Mapped[str] = mapped_column(String(255))
    flavour: Mapped[str] = mapped_column(String(255))
    gpus: Mapped[int]
    duration_s: Mapped[float] = mapped_column(Double)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int]
    ready: Mapped[bool]
    unclaimed: Mapped[int]
    starts_again: Mapped[bool] = mapped_column(server_default=true())
    starts_by: Mapped[datetime | None] = mapped_column(UtcDateTime)
    likely_start: Mapped[datetime | None] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str | None] = mapped_column(String(32))
    moved_to: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LeaseRow(Base):
    """A lease, kept after its end. `ended_at` is null while the devices are held."""

    __tablename__ = "leases"
    __table_args__ = (
        Index(
            "one_live_lease",
            "ticket",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("leases_by_end", "ended_at"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    ticket: Mapped[str] = mapped_column(ForeignKey("tickets.id"), index=True)
    user: Mapped[str] = mapped_column(String(255), info=PERSON)
    name: Mapped[str] = mapped_column(String(255), info=FREE_TEXT)
    project: Mapped[str] = mapped_column(String(255))
    flavour: Mapped[str] = mapped_column(String(255))
    charge: Mapped[float] = mapped_column(Double, server_default="1")
    starts: Mapped[datetime] = mapped_column(UtcDateTime)
    ends: Mapped[datetime] = mapped_column(UtcDateTime)
    absent_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ready_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    start_tries: Mapped[int]
    stopping_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stopping_for: Mapped[str | None] = mapped_column(String(32))
    taken_unused: Mapped[bool] = mapped_column(server_default=false())
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    devices: Mapped[list[LeasedDeviceRow]] = relationship(
        cascade="all, delete-orphan", order_by="LeasedDeviceRow.position", lazy="selectin"
    )


class LeasedDeviceRow(Base):
    """One device of a lease. The index makes the database itself refuse a device in two live leases."""

    __tablename__ = "leased_devices"
    __table_args__ = (
        Index(
            "one_live_lease_a_device",
            "device",
            unique=True,
            sqlite_where=text("live"),
            postgresql_where=text("live"),
        ),
    )

    lease: Mapped[int] = mapped_column(ForeignKey("leases.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(String(255))
    live: Mapped[bool]


class LedgerRow(Base):
    """Hours of a lease moved from one account to another (`domain.ledger`). Rows are only ever added.

    `rate` is devices times charge in thousandths, `amount` that times seconds. `person` is a pseudonym.
    """

    __tablename__ = "ledger"
    __table_args__ = (Index("ledger_by_time", "kind", "start", "end"), Index("ledger_of_person", "person", "start"))

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    lease: Mapped[int] = mapped_column(ForeignKey("leases.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    person: Mapped[str] = mapped_column(String(32))
    project: Mapped[str] = mapped_column(String(255))
    flavour: Mapped[str] = mapped_column(String(255))
    devices: Mapped[int]
    rate: Mapped[int] = mapped_column(BigInteger)
    start: Mapped[datetime] = mapped_column(UtcDateTime)
    end: Mapped[datetime] = mapped_column(UtcDateTime)
    amount: Mapped[int] = mapped_column(BigInteger)


class SlotRow(Base):
    """The planned place of a queued ticket."""

    __tablename__ = "slots"

    ticket: Mapped[str] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    node: Mapped[str] = mapped_column(String(255))
    start: Mapped[datetime] = mapped_column(UtcDateTime)
    end: Mapped[datetime] = mapped_column(UtcDateTime)


class ReservationRow(Base):
    """A reservation, kept after it is over. `start` and `end` are those of its first time; no project: maintenance."""

    __tablename__ = "reservations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project: Mapped[str | None] = mapped_column(String(255))
    flavour: Mapped[str] = mapped_column(String(255))
    devices: Mapped[int]
    node: Mapped[str] = mapped_column(String(255))
    start: Mapped[datetime] = mapped_column(UtcDateTime)
    end: Mapped[datetime] = mapped_column(UtcDateTime)
    zone: Mapped[str] = mapped_column(String(255))
    repeat: Mapped[str | None] = mapped_column(String(500))
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    title: Mapped[str] = mapped_column(String(255), info=FREE_TEXT)
    made_by: Mapped[str] = mapped_column(String(255), info=PERSON)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancelled_by: Mapped[str | None] = mapped_column(String(255), info=PERSON)


class _ActRow(Base):
    """Something that an admin said, why, and until when it holds; kept after it is over."""

    __abstract__ = True

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    why: Mapped[str] = mapped_column(String(500), info=FREE_TEXT)
    made_by: Mapped[str] = mapped_column(String(255), info=PERSON)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(String(255), info=PERSON)


class WithdrawalRow(_ActRow):
    """A machine, or one device of it, that an admin drained or fenced."""

    __tablename__ = "withdrawals"

    act: Mapped[str] = mapped_column(String(16))
    node: Mapped[str] = mapped_column(String(255))
    device: Mapped[str] = mapped_column(String(255))


class OverrideRow(_ActRow):
    """Another value of one rule, in place of the file's."""

    __tablename__ = "overrides"

    rule: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(255), info=PERSON)
    flavour: Mapped[str] = mapped_column(String(255))
    value: Mapped[float] = mapped_column(Double)


class AskedOnceRow(Base):
    """The ticket that a program's request with a key of its own came to."""

    __tablename__ = "asked_once"
    __table_args__ = (Index("asked_once_by_time", "at"),)

    user: Mapped[str] = mapped_column(String(255), primary_key=True, info=PERSON)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    ticket: Mapped[str] = mapped_column(String(32))
    digest: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class NoticeRow(Base):
    """Something a ticket's owner was told; `key` keeps it from being said twice."""

    __tablename__ = "notices"
    __table_args__ = (Index("one_notice_a_key", "ticket", "key", unique=True),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    ticket: Mapped[str] = mapped_column(ForeignKey("tickets.id"))
    key: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    message: Mapped[str] = mapped_column(Text, info=FREE_TEXT)


class PersonRow(Base):
    """The key to a pseudonym. Without it nobody can tell any more who a pseudonym is."""

    __tablename__ = "people"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    pseudonym: Mapped[str] = mapped_column(String(32), unique=True)


class AuditRow(Base):
    """One change of state: who, what, when, why. Rows are only ever added, numbered without a gap.

    `actor` is a pseudonym or a part of labpool. `hash` is that of the row and the one before (`store.audit_chain`).
    """

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(255))
    ticket: Mapped[str | None] = mapped_column(String(32), index=True)
    event: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(String(64))


class LeaderRow(Base):
    """The one pool process that decides; a single row, none with SQLite. `expires_at` is by the database's clock."""

    __tablename__ = "leader"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    epoch: Mapped[int]
    holder: Mapped[str] = mapped_column(String(255))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
