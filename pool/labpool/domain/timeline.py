"""How much of something is taken, and when: a step function of time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import accumulate

BEGINNING = datetime.min.replace(tzinfo=timezone.utc)
FOREVER = datetime.max.replace(tzinfo=timezone.utc)
INSTANT = timedelta(microseconds=1)

_MUCH = 16

Span = tuple[datetime, datetime, int]


@dataclass(slots=True)
class Timeline:
    """What is taken of one thing over all time; each step reaches to the next one, the last one for ever.

    How much there is, is not its business. Who asks says instead how much may be taken already: the `room`.
    """

    _times: list[datetime] = field(default_factory=lambda: [BEGINNING])
    _taken: list[int] = field(default_factory=lambda: [0])

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Timeline:
        """A timeline of many spans (start, end, amount) at once, each of some length."""
        timeline = cls()
        timeline.take_all(spans)
        return timeline

    @classmethod
    def always(cls, amount: int) -> Timeline:
        """A timeline on which `amount` is taken at all times."""
        return cls([BEGINNING], [amount])

    def copy(self) -> Timeline:
        """One that may be changed apart from this one."""
        return Timeline(list(self._times), list(self._taken))

    def take(self, start: datetime, end: datetime, amount: int) -> None:
        """Take `amount` more from `start` to `end`; a negative one gives it back."""
        if end <= start:
            return
        first, last = self._cut(start), self._cut(end)
        for step in range(first, last):
            self._taken[step] += amount
        self._join(last)
        self._join(first)

    def take_all(self, spans: Iterable[Span]) -> None:
        """Take many spans at once."""
        steps = zip(self._times[1:], self._taken[1:], self._taken, strict=False)
        changes = {at: taken - before for at, taken, before in steps}
        for start, end, amount in spans:
            changes[start] = changes.get(start, 0) + amount
            changes[end] = changes.get(end, 0) - amount
        self._times = [BEGINNING, *sorted(at for at, change in changes.items() if change)]
        self._taken = [*accumulate((changes[at] for at in self._times[1:]), initial=self._taken[0])]

    def forget(self, before: datetime) -> None:
        """Let go of what lies before a time, once it is much; it is not asked about again."""
        step = self._step_at(before)
        if step > _MUCH:
            del self._times[1:step], self._taken[1:step]

    def taken_at(self, at: datetime) -> int:
        """What is taken at `at`."""
        return self._taken[self._step_at(at)]

    def steps(self, start: datetime, end: datetime) -> list[Span]:
        """What is taken from `start` to `end`, cut where it changes."""
        first = self._step_at(start)
        last = bisect_left(self._times, end, first + 1)
        times = [start, *self._times[first + 1 : last], end]
        return list(zip(times, times[1:], self._taken[first:last], strict=False))

    def spans(self) -> list[Span]:
        """All steps on which anything is taken, but for the endless first and last one."""
        steps = zip(self._times[1:], self._times[2:], self._taken[1:], strict=False)
        return [step for step in steps if step[2]]

    def fits(self, room: int, start: datetime, end: datetime) -> bool:
        """Whether at most `room` is taken from `start` to `end`."""
        return self.most_taken(start, end) <= room

    def most_taken(self, start: datetime, end: datetime) -> int:
        """The most that is taken at any time from `start` to `end`."""
        first = self._step_at(start)
        last = bisect_left(self._times, end, first + 1)
        return max(self._taken[first:last])

    def first_start(
        self, room: int, length: timedelta, at: datetime, before: datetime, cut: datetime | None = None
    ) -> datetime | None:
        """The first time from `at` on, and before `before`, from which at most `room` is taken for `length`.

        What is taken from `cut` on does not count.
        """
        if at >= before:
            return None
        first, start, until = self._step_at(at), at, at + length
        fits = False
        for taken, ends in zip(self._taken[first:-1], self._times[first + 1 :], strict=True):
            if taken > room:
                start, fits = ends, False
                if start >= before:
                    return None
            else:
                if not fits:
                    fits, until = True, start + length if cut is None else min(start + length, cut)
                if ends >= until:
                    return start
        return start if self._taken[-1] <= room else None

    def free_until(self, room: int, at: datetime) -> datetime:
        """Until when, from `at` on, at most `room` is taken; `at` itself where more is."""
        for step in range(self._step_at(at), len(self._times)):
            if self._taken[step] > room:
                return max(self._times[step], at)
        return FOREVER

    def _step_at(self, at: datetime) -> int:
        return bisect_right(self._times, at) - 1

    def _cut(self, at: datetime) -> int:
        """The step that begins at `at`, made where there is none."""
        step = bisect_left(self._times, at)
        if step == len(self._times) or self._times[step] != at:
            self._times.insert(step, at)
            self._taken.insert(step, self._taken[step - 1])
        return step

    def _join(self, step: int) -> None:
        """Make one step of two equal ones."""
        if step and self._taken[step] == self._taken[step - 1]:
            del self._times[step], self._taken[step]


def first_common_start(
    tracks: Sequence[tuple[Timeline, int]], length: timedelta, at: datetime, before: datetime
) -> datetime | None:
    """The first time from `at` on, and before `before`, that suits all of `tracks` (timeline, room) for `length`."""
    start, agreed, turn = at, 0, 0
    while agreed < len(tracks):
        timeline, room = tracks[turn]
        found = timeline.first_start(room, length, start, before)
        if found is None:
            return None
        agreed, start = (agreed + 1, start) if found == start else (1, found)
        turn = (turn + 1) % len(tracks)
    return start
