"""Rows of the audit trail, for admins."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

MOST_ROWS = 200
"""Of the audit trail in one answer."""


class AuditAsked(BaseModel):
    """Which rows of the audit trail; what is left out narrows nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ticket: str | None = Field(None, max_length=32, description="Only what happened to this ticket.")
    actor: str | None = Field(
        None,
        max_length=255,
        description="Only what this person did (name or pseudonym), or labpool itself: pool, planner, engine, file.",
    )
    event: str | None = Field(None, max_length=64, description="Only this, such as granted.")
    since: str | None = Field(
        None, max_length=40, description="Only from this date or time on; one without an offset is of the pool's zone."
    )
    limit: int = Field(50, ge=1, le=MOST_ROWS)
    cursor: str | None = Field(None, max_length=255)


class AuditRowView(BaseModel):
    """Who did what, when and why."""

    model_config = ConfigDict(frozen=True)

    number: int = Field(description="Rows are numbered from 1 without a gap.")
    at: datetime
    actor: str = Field(
        description="A person's name, or an erased one's pseudonym; pool, planner, engine, file: labpool itself."
    )
    ticket: str | None = Field(description="Null: about none.")
    event: str = Field(description="What happened, such as granted or drained.")
    detail: str
    hash: str = Field(description="Over the row as it is stored, with pseudonyms, and the hash of the row before.")


class AuditPage(BaseModel):
    """Some rows of the audit trail, newest first."""

    model_config = ConfigDict(frozen=True)

    rows: tuple[AuditRowView, ...]
    cursor: str | None = Field(description="Send it as `cursor` for those that follow; null after the last one.")
