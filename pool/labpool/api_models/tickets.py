"""Tickets in lists, and asked for by a program."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from labpool.api_models.spawns import MOST_HOURS


class ServerAsked(BaseModel):
    """A server of one's own with a GPU profile, as the spawn form asks for one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("", max_length=255, description='The server\'s name; "" is the default server.')
    project: str = Field(max_length=255)
    profile: str = Field(max_length=255)
    hours: float = Field(gt=0, le=MOST_HOURS, allow_inf_nan=False, description="Wall time asked for, in hours.")


class StepBehind(BaseModel):
    """Another waiting ticket of one's own, which may take the place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ticket: str = Field(max_length=32)


class TicketSummary(BaseModel):
    """A ticket in a list. Times are UTC."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    user: str | None = Field(description="Null: somebody else's, whom only admins and the project's owners see.")
    name: str | None = Field(description='The server\'s name; "" is the default server; null where `user` is.')
    project: str
    profile: str
    flavour: str
    gpus: int
    hours: float
    state: str
    requested_at: datetime
    starts_by: datetime | None = Field(description="The promise, while it waits.")
    planned_start: datetime | None = Field(description="Start in today's plan, while it waits; may move earlier.")
    ends: datetime | None = Field(description="When its lease ends at the latest; null where it has none.")
    end_reason: str | None


class TicketPage(BaseModel):
    """Some of the tickets that one may see, newest first."""

    model_config = ConfigDict(frozen=True)

    tickets: tuple[TicketSummary, ...]
    cursor: str | None = Field(description="Send it as `cursor` for those that follow; null after the last one.")
    others_queued: int = Field(description="How many wait in projects that one does not see.")
