"""Kinds of values that several keys of pool.yaml hold."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

_SLUG = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
_HOST = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$"
VALUE_PATTERNS_IN_WORDS = {
    _SLUG: "a name of at most 40 lower-case letters, digits and hyphens",
    _HOST: "a host name of at most 63 characters",
}

Slug: TypeAlias = Annotated[str, Field(pattern=_SLUG, examples=["gpu-1"])]
HostName: TypeAlias = Annotated[str, Field(pattern=_HOST)]
Title: TypeAlias = Annotated[str, Field(min_length=1, max_length=80)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=255, examples=["vision"])]
Devices: TypeAlias = Annotated[int, Field(ge=0, le=1024, examples=[2])]
Cores: TypeAlias = Annotated[float, Field(gt=0, le=4096, allow_inf_nan=False)]
Gibibytes: TypeAlias = Annotated[float, Field(gt=0, le=65536, allow_inf_nan=False)]
Minutes: TypeAlias = Annotated[float, Field(ge=0, le=10080, allow_inf_nan=False, examples=[5])]
