"""What is known of runs that are over: it only grows, so a copy costs nothing however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import overload

from labpool.store.records import EndedRun


class EndedRuns(Sequence[EndedRun]):
    """The first so many of a list that all copies share; of copies of one, a single one may add to it.

    Whoever adds to a copy and gives it up leaves runs behind that nobody else counts; the others may only be read then.
    """

    def __init__(self, runs: list[EndedRun], number: int | None = None) -> None:
        self._runs, self._number = runs, len(runs) if number is None else number

    def copy(self) -> EndedRuns:
        """One that can be added to while others read this one."""
        return EndedRuns(self._runs, self._number)

    def append(self, run: EndedRun) -> None:
        """Add a run at the end.

        Raises:
            ValueError: another copy was added to.
        """
        if self._number != len(self._runs):
            raise ValueError("another copy of these runs was added to")
        self._runs.append(run)
        self._number += 1

    def __len__(self) -> int:
        return self._number

    @overload
    def __getitem__(self, which: int) -> EndedRun: ...
    @overload
    def __getitem__(self, which: slice) -> list[EndedRun]: ...
    def __getitem__(self, which: int | slice) -> EndedRun | list[EndedRun]:
        """A run, or some of them in a list."""
        numbers = range(self._number)[which]
        return self._runs[numbers] if isinstance(numbers, int) else [self._runs[number] for number in numbers]

    def __iter__(self) -> Iterator[EndedRun]:
        return islice(self._runs, self._number)
