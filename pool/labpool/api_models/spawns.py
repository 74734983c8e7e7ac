"""What the spawner and the pool say to each other."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_HOURS = 366 * 24.0
"""No request is longer than a leap year; profiles say how long they may be."""


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SpawnAsked(_Wire):
    """A user's server is to start with a GPU profile: which devices may it have?"""

    user: str = Field(min_length=1, max_length=255)
    groups: tuple[str, ...] = Field((), description="The user's groups as the hub knows them now.")
    admin: bool = Field(False, description="Whether the hub counts this user among its admins.")
    name: str = Field("", max_length=255, description='The server\'s name; "" is the default server.')
    project: str = Field(max_length=255)
    profile: str = Field(max_length=255)
    hours: float = Field(gt=0, le=MOST_HOURS, allow_inf_nan=False, description="Wall time asked for, in hours.")
    granted_only: bool = Field(False, description="The pool starts what it granted: without a ticket none is filed.")


class LeasedDevice(_Wire):
    """One device of a lease. `id` is the card's UUID unless `simulated`."""

    id: str
    index: int
    flavour: str
    node: str
    memory_gib: float
    simulated: bool


class LeaseToApply(_Wire):
    """The lease of (user, server): start with exactly this."""

    outcome: Literal["lease"] = "lease"
    ticket: str
    ticket_token: str = Field(description="Lets this server, and nothing else, claim the ticket and read its notices.")
    project: str
    profile: str
    preset: str
    precision: str
    xla: str
    cpu: float = Field(description="Cores.")
    memory_gib: float
    devices: tuple[LeasedDevice, ...]
    starts: datetime
    ends: datetime


class Waiting(_Wire):
    """No lease yet: the ticket is filed and the pool starts the server when its turn comes."""

    outcome: Literal["waiting"] = "waiting"
    ticket: str
    path: str = Field(description="Path of the ticket's page on the hub's address, beginning with a slash.")
    retry_after: int = Field(ge=1, description="Seconds after which asking again can be worth while.")
    message: str = Field(description="Place, time and reason in one sentence.")


SpawnAnswer = Annotated[LeaseToApply | Waiting, Field(discriminator="outcome")]


class OfferTaken(_Wire):
    """One of a waiting ticket's `sooner`, for as many hours as it says or fewer."""

    profile: str = Field(max_length=255)
    hours: float = Field(gt=0, le=MOST_HOURS, allow_inf_nan=False)


class StartsAgain(_Wire):
    """Whether a ticket goes back in line by itself if its GPUs are taken back before the end."""

    starts_again: bool


class MoreHours(_Wire):
    """By how much a running ticket's lease is to be extended: a quarter of an hour or more."""

    hours: float = Field(gt=0, le=MOST_HOURS, allow_inf_nan=False, description="Beyond the lease's present end.")


class ServerStopped(_Wire):
    """The user, or an admin for them, stopped a server that ran with a lease."""

    user: str
    name: str = ""
    ticket: str
    granted_at: datetime | None = Field(
        None, description="Start of the lease that it had: that one ends, no later one of the ticket. Null: any."
    )
