"""What each project has used lately: the measure of fair share, in which older use counts less."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from labpool.domain.timeline import BEGINNING

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Usage:
    """GPU-hours of each project up to `at`, each moment's use halved for every `half_life` that has passed since.

    The decay is that of Slurm's multifactor plugin (PriorityDecayHalfLife): the weight of use that lies a time t back
    is 2 to the power of -t / half_life.
    """

    at: datetime = BEGINNING
    half_life: timedelta = timedelta(days=7)
    hours: Mapping[str, float] = field(default_factory=dict)

    def after(self, project: str, gpu_rate: float, start: datetime, end: datetime) -> Usage:
        """This usage and that of a run of `project` that booked `gpu_rate` GPU-hours an hour from `start` to `end`.

        The result stands at the later one of `at` and `end`.
        """
        at = max(self.at, end)
        hours = {name: used * self._weight(at - self.at) for name, used in self.hours.items()}
        hours[project] = hours.get(project, 0.0) + gpu_rate * self._lasting(start, end, at)
        return Usage(at, self.half_life, hours)

    def of(self, project: str, now: datetime) -> float:
        """What counts of `project` at `now`, in GPU-hours."""
        return self.hours.get(project, 0.0) * self._weight(max(now - self.at, timedelta(0)))

    def _weight(self, age: timedelta) -> float:
        return float(0.5 ** (age / self.half_life))

    def _lasting(self, start: datetime, end: datetime, at: datetime) -> float:
        """Hours from `start` to `end` as they count at `at`: the integral of the weight over the run."""
        if end <= start:
            return 0.0
        return (self.half_life / HOUR) / math.log(2) * (self._weight(at - end) - self._weight(at - start))


def booked_hours(devices: int, charge: float, duration: timedelta) -> float:
    """GPU-hours of `devices` for `duration`, at `charge` GPU-hours for one hour of one."""
    return devices * charge * (duration / HOUR)
