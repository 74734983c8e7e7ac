"""What a look at one thing found, for `labpool doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, what was found, and what helps where it is not well."""

    name: str
    verdict: Verdict
    said: str
    remedy: str = ""
