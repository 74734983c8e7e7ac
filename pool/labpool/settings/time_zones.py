"""Time zones by their IANA names."""

from __future__ import annotations

from datetime import timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones


def zone_named(name: str) -> tzinfo | None:
    """The zone with an IANA name, the same object at each call; None where there is none."""
    if name == "UTC":
        return timezone.utc
    return ZoneInfo(name) if name in zone_names() else None


@cache
def zone_names() -> frozenset[str]:
    """All names, those of the system and of the tzdata package."""
    return frozenset(available_timezones())
