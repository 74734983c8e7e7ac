"""Hours in which somebody wants no mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone, tzinfo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` to `end` on the clocks of `zone`, each day; past midnight where `end` is the earlier one."""

    start: time
    end: time
    zone: tzinfo

    def until(self, now: datetime) -> datetime | None:
        """When the quiet hours that are on `now` are over, in UTC; None outside of them."""
        local = now.astimezone(self.zone)
        clock = local.time().replace(tzinfo=None)
        if self.start < self.end:
            quiet, days = self.start <= clock < self.end, 0
        else:
            quiet, days = clock >= self.start or clock < self.end, int(clock >= self.start)
        if not quiet:
            return None
        over = datetime.combine(local.date() + timedelta(days=days), self.end, self.zone)
        return max(over.astimezone(timezone.utc), now.astimezone(timezone.utc))
