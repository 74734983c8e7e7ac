"""What the pool says of people."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ErasedView(BaseModel):
    """A person whose name is gone: the pseudonym under which the records stay, and how many these are."""

    model_config = ConfigDict(frozen=True)

    pseudonym: str
    tickets: int
    leases: int
