"""Errors on the wire: RFC 9457 problem details."""

from __future__ import annotations

from pydantic import BaseModel, Field

from labpool.api_models.reservations import Confirmation

PROBLEM_MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What went wrong and what to do, in the same words as on the page and in the log (RFC 9457)."""

    type: str = Field("about:blank", description="about:blank, or a page that explains this kind of problem.")
    title: str = Field(description="The problem in a few words, the same for each of its kind.")
    status: int = Field(ge=400, le=599, description="HTTP status.")
    detail: str = Field(description="What happened this time.")
    reason: str = Field(description="One of a closed set of names, for programs.")
    remedy: str = Field("", description="What the reader can do about it.")
    confirm: Confirmation | None = Field(None, description="What to send as `confirm` to have it all the same.")
    id: str = Field("", description="Finds the log line of this very answer.")
