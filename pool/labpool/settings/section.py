"""What all sections of pool.yaml have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Keys with fixed names and types; anything else is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
