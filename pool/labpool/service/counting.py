"""Counting ended runs once, from one look to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from labpool.store import EndedRun


class Counted(NamedTuple):
    """How far ended runs are counted: so many, and which one was the last."""

    runs: int = 0
    last: EndedRun | None = None

    def stands(self, ended: Sequence[EndedRun]) -> bool:
        """Whether those that are counted are all still there; after an undone transaction they may not be."""
        return self.runs <= len(ended) and (not self.runs or ended[self.runs - 1] is self.last)


def counted_all(ended: Sequence[EndedRun]) -> Counted:
    """Where the count stands when all of `ended` is counted."""
    return Counted(len(ended), ended[-1] if ended else None)
