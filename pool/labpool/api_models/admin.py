"""What admins ask for and see: machines and GPUs, and somebody's ticket."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from labpool.api_models.reservations import Confirmation

_WHY = Field(min_length=1, max_length=500, description="In a few words, for everybody to read.")


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DrainAsked(_Asked):
    """A machine, or one GPU of it, that takes nothing new from now on: name one of both."""

    node: str = Field("", max_length=255, description="A whole machine.")
    device: str = Field("", max_length=255, description="One GPU by its id.")
    why: str = _WHY
    until: AwareDatetime | None = Field(
        None, description="When it serves again by itself; null: when an admin says so."
    )
    confirm: Confirmation | None = Field(None, description="Accept it although promises break.")

    @model_validator(mode="after")
    def _one_of_both(self) -> DrainAsked:
        if bool(self.node) == bool(self.device):
            raise ValueError("name a node or a device, and not both")
        return self


class GrantAsked(_Asked):
    """A waiting ticket is to start at once, ahead of all others."""

    why: str = Field(min_length=1, max_length=500, description="In a few words, for the audit trail.")
    confirm: Confirmation | None = Field(None, description="Accept it although promises break.")


class EndAsked(_Asked):
    """Why a ticket is ended, which its owner is told; by admins."""

    why: str = Field("", max_length=500)


class OverrideAsked(_Asked):
    """Another value of one rule of pool.yaml, for a while or until further notice."""

    rule: Literal["user_gpus", "user_queued", "nominal", "borrow", "lend", "weight", "budget"] = Field(
        description="A user's GPUs at once or queued tickets; or what a project holds, borrows, lends, its weight, and "
        "the GPU-hours in each period of its budget."
    )
    name: str = Field(min_length=1, max_length=255, description="The user's, or the project's.")
    flavour: str = Field("", max_length=255, description="For nominal, borrow and lend; else empty.")
    value: float = Field(ge=0, le=1e9, allow_inf_nan=False, description="A whole number where it counts something.")
    why: str = Field(min_length=1, max_length=500)
    until: AwareDatetime | None = Field(
        None, description="When the file's value holds again; null: until further notice."
    )
    confirm: Confirmation | None = Field(None, description="Accept it although promises break.")


class OverrideView(BaseModel):
    """A value in force in place of the file's."""

    model_config = ConfigDict(frozen=True)

    id: str
    rule: str
    name: str
    flavour: str
    value: float
    file_value: float | None = Field(description="A user's without groups; null: the file has no such thing any more.")
    why: str
    made_by: str
    made_at: datetime
    until: datetime | None


class ReloadView(BaseModel):
    """What became of reading pool.yaml again."""

    model_config = ConfigDict(frozen=True)

    path: str
    sha256: str = Field(description="Of the file whose values are in force.")
    valid: bool = Field(description="Whether the file as it is now is in force; else the values from before stay.")
    errors: str = Field(description="What is wrong with it, a line for each mistake; empty where it is valid.")


class FenceAsked(_Asked):
    """A silent machine on which nothing of before runs any more, as an admin has seen."""

    node: str = Field(min_length=1, max_length=255)
    why: str = _WHY


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class WithdrawalView(_View):
    """What an admin took out of service."""

    id: str
    act: str = Field(description="drain or fence.")
    node: str
    device: str = Field(description="Empty: the whole machine.")
    why: str
    made_by: str
    made_at: datetime
    until: datetime | None


class DeviceView(_View):
    """One GPU, with who holds it."""

    id: str
    flavour: str
    node: str
    index: int
    simulated: bool
    condition: str = Field(description="Its machine's: serving, drained, failed or silent.")
    withheld: str = Field(description="Why it is not given out though its machine serves; empty where it is.")
    ticket: str | None = Field(description="Whose lease holds it; null: nobody's.")
    user: str | None
    project: str | None
    until: datetime | None = Field(description="When that lease ends at the latest.")
