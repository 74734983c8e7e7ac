"""Counting ended runs once, from one look to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from labpool.store import EndedRun

Sum = TypeVar("Sum")


@dataclass(frozen=True, slots=True)
class _Counted(Generic[Sum]):
    """What the first so many runs come to under some terms, and which one was the last."""

    sum: Sum
    terms: object
    runs: int
    last: EndedRun | None

    def stands(self, ended: Sequence[EndedRun], terms: object) -> bool:
        """Whether all that are counted are still there; after an undone transaction they may not be."""
        there = self.runs <= len(ended) and (not self.runs or ended[self.runs - 1] is self.last)
        return there and self.terms == terms


class Tally(Generic[Sum]):
    """What ended runs come to, each counted once as long as those before it are there; else all of them anew."""

    def __init__(self) -> None:
        self._counted: _Counted[Sum] | None = None

    def of(
        self,
        ended: Sequence[EndedRun],
        terms: object,
        begin: Callable[[], Sum],
        add: Callable[[Sum, Sequence[EndedRun]], Sum],
    ) -> Sum:
        """The sum of `ended` under `terms`; `begin` gives that of none, `add` that with more runs."""
        known = self._counted
        if known is None or not known.stands(ended, terms):
            known = _Counted(begin(), terms, 0, None)
        new = ended[known.runs :]
        total = add(known.sum, new) if new else known.sum
        self._counted = _Counted(total, terms, len(ended), ended[-1] if ended else None)
        return total
