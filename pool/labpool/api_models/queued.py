"""What a pool process says that took a request down for the one that decides."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Queued(BaseModel):
    """The request is kept and will be carried out; what became of it is found at `path`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcome: Literal["queued"] = "queued"
    request: str
    path: str = Field(description="Where the answer will be, beginning with a slash; also in the Location header.")
    retry_after: int = Field(ge=1, description="Seconds after which to look there.")
    message: str
