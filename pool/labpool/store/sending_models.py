"""Tables of what is sent to people: how they want it, and what is on its way."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from labpool.store.models import PERSON, Base, UtcDateTime


class PreferencesRow(Base):
    """How one user wants to be told. The secret is kept as it is: signing needs it."""

    __tablename__ = "preferences"

    user: Mapped[str] = mapped_column(String(255), primary_key=True, info=PERSON)
    email: Mapped[str] = mapped_column(String(254))
    unconfirmed: Mapped[str] = mapped_column(String(254))
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    email_kinds: Mapped[list[str]] = mapped_column(JSON)
    webhook_url: Mapped[str] = mapped_column(Text)
    webhook_secret: Mapped[str] = mapped_column(String(255))
    webhook_kinds: Mapped[list[str]] = mapped_column(JSON)
    quiet_from: Mapped[str] = mapped_column(String(5))
    quiet_to: Mapped[str] = mapped_column(String(5))
    zone: Mapped[str] = mapped_column(String(255))


class DeliveryRow(Base):
    """One notice on its way to one user; without a notice, the mail that confirms an address.

    `done_at` is null while it is to be sent, at `due_at` at the earliest; whoever sends moves that time first.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(
            "deliveries_to_send",
            "way",
            "due_at",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
        Index("deliveries_of_user", "user", "made_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    notice: Mapped[int | None] = mapped_column(ForeignKey("notices.id"))
    user: Mapped[str] = mapped_column(String(255), info=PERSON)
    way: Mapped[str] = mapped_column(String(16))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(Integer)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(16))
