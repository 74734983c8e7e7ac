"""What admins ask for and see: machines and GPUs, and somebody's ticket."""

from __future__ import annotations

from datetime import datetime

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
