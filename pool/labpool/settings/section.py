"""What all sections of pool.yaml have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section: a key that it doesn't know, or a value of another kind, is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
