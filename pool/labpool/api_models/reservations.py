"""Devices reserved ahead of time: what is asked for, and what is shown."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime

from labpool.api_models.spawns import MOST_HOURS


class Confirmation(BaseModel):
    """How much harm an admin accepts; the 409 that asks for it tells the numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    broken: int = Field(ge=0, description="Promises that may break.")
    missing: int = Field(0, ge=0, description="GPUs that may still be in use at a reservation's time.")


class ReservationAsked(BaseModel):
    """Devices to be kept for a project, or, without one, a machine to be closed for maintenance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    project: str | None = Field(None, max_length=255, description="Null: maintenance, which needs a `node`.")
    flavour: str = Field("", max_length=255, description="Which GPUs; empty for maintenance.")
    devices: int = Field(0, ge=0, le=10_000, description="How many of them; 0 for maintenance.")
    node: str = Field("", max_length=255, description="Only on this machine; empty: wherever they are.")
    start: NaiveDatetime = Field(description="What the clocks of `timezone` show at the start, without an offset.")
    hours: float = Field(gt=0, le=MOST_HOURS, allow_inf_nan=False)
    timezone: str = Field(max_length=255, description="An IANA zone, such as Europe/Berlin.")
    repeat: str | None = Field(
        None, max_length=500, description="An RRULE (RFC 5545), such as FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20270212."
    )
    title: str = Field("", max_length=255, description="What for, in a few words.")
    confirm: Confirmation | None = Field(None, description="By admins: accept it all the same.")


class OccurrenceView(BaseModel):
    """One time of a reservation, in UTC."""

    model_config = ConfigDict(frozen=True)

    id: str
    start: datetime
    end: datetime
    devices: int = Field(description="How many are kept: fewer once what nobody used was given back.")


class ReservationView(BaseModel):
    """A reservation and its times of the next 90 days; those that are over are left out."""

    model_config = ConfigDict(frozen=True)

    id: str
    project: str | None = Field(description="Null: maintenance.")
    project_title: str
    flavour: str
    flavour_title: str
    devices: int
    node: str
    title: str
    timezone: str
    repeat: str | None
    until: datetime | None = Field(description="When it is over for good; null where it goes on.")
    occurrences: tuple[OccurrenceView, ...]
    may_cancel: bool = Field(description="Whether who asks may cancel it.")
