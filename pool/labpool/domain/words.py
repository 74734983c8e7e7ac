"""Numbers, times and names as people say them; shared by refusals and explanations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo


@dataclass(frozen=True, slots=True)
class Sentence:
    """A message, and what the reader can do about it, if only to wait."""

    message: str
    remedy: str


def count(number: int, noun: str) -> str:
    """A number with its noun, whose plural takes an s: "1 GPU", "2 GPUs", "no GPU"."""
    if number == 0:
        return f"no {noun}"
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def gpu_hours(number: float) -> str:
    """GPU-hours: "1 GPU-hour", "12.5 GPU-hours"."""
    said = decimal(number)
    return f"{said} GPU-hour" if said == "1" else f"{said} GPU-hours"


def decimal(number: float) -> str:
    """A number to two decimals, never rounded up: "200", "12.5", "0.25"."""
    return f"{math.floor(number * 100 + 0.0001) / 100:.2f}".rstrip("0").rstrip(".")


def gpus(number: int, title: str) -> str:
    """A number of devices of a flavour by its title: "2 GPUs (A100 80 GB)"."""
    return f"{count(number, 'GPU')} ({title})"


def ordinal(place: int) -> str:
    """A place in line: 1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def span(duration: timedelta) -> str:
    """A duration: "8 h", "1 h 30 min", "5 min", "12 s"."""
    seconds = round(duration.total_seconds())
    if abs(seconds) < 60:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    parts = [f"{hours} h"] if hours else []
    return " ".join([*parts, f"{minutes} min"] if minutes else parts)


def clock(at: datetime, zone: tzinfo, now: datetime | None = None) -> str:
    """A time of day in `zone`, with the day where it is not that of `now`; UTC says that it is UTC."""
    local = at.astimezone(zone)
    other_day = now is not None and local.date() != now.astimezone(zone).date()
    said = f"{local:%a} {local.day} {local:%b}, {local:%H:%M}" if other_day else f"{local:%H:%M}"
    return f"{said} UTC" if zone is timezone.utc else said


def server(name: str) -> str:
    """A server as its owner calls it."""
    return f'your server "{name}"' if name else "your default server"


def listed(items: Sequence[str], last: str = "and") -> str:
    """Items as a sentence lists them: "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"
