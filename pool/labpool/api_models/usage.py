"""What the pool says of GPU-hours."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class UsageRow(BaseModel):
    """GPU-hours of one project, user, flavour, month or term: devices x hours x charge."""

    model_config = ConfigDict(frozen=True)

    key: str = Field(
        description="Its name; of an erased user the pseudonym; a month as 2026-05; days in no term: outside any term."
    )
    used: float = Field(description="What runs that are over used.")
    held: float = Field(description="What is set aside for runs that are not over.")
    overrun: float = Field(description="What runs took beyond their end; nobody's budget pays for it.")
    runs: int = Field(description="How many runs that are over lie in this time, also in part.")


class UsageView(BaseModel):
    """GPU-hours from `start` until just before `end`, summed up by something."""

    model_config = ConfigDict(frozen=True)

    start: datetime
    end: datetime
    by: str
    rows: tuple[UsageRow, ...]
