"""How many requests one person may send: generous for people and their programs, too few for a loop that runs wild."""

from __future__ import annotations

import time
from dataclasses import dataclass

MOST_A_MINUTE = 600
_MOST_REMEMBERED = 10_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rates:
    """A bucket of requests for each caller, filled again evenly over a minute."""

    def __init__(self, a_minute: int = MOST_A_MINUTE) -> None:
        self._a_minute = a_minute
        self._buckets: dict[str, _Bucket] = {}

    def take(self, caller: str) -> float:
        """Count one request; 0 where it may go on, else the seconds until the next one may."""
        now, a_second = time.monotonic(), self._a_minute / 60
        bucket = self._buckets.get(caller)
        if bucket is None:
            self._forget_full_ones(now)
            bucket = self._buckets[caller] = _Bucket(self._a_minute, now)
        bucket.left = min(bucket.left + (now - bucket.at) * a_second, float(self._a_minute))
        bucket.at = now
        if bucket.left < 1:
            return (1 - bucket.left) / a_second
        bucket.left -= 1
        return 0.0

    def _forget_full_ones(self, now: float) -> None:
        if len(self._buckets) >= _MOST_REMEMBERED:
            self._buckets = {who: each for who, each in self._buckets.items() if now - each.at < 60}
