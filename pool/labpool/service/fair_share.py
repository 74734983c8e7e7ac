"""What each project has used lately, kept current between decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from labpool.domain.catalogue import Catalogue
from labpool.domain.usage import Usage
from labpool.store import EndedRun


class _Counted(NamedTuple):
    """How far the runs are counted: so many, the last one, and what they come to."""

    runs: int
    last: EndedRun | None
    usage: Usage


class FairShare:
    """Counts ended runs once, as long as each look finds those before still there; else all of them anew."""

    def __init__(self) -> None:
        self._counted = _Counted(0, None, Usage())

    def usage(self, ended: Sequence[EndedRun], catalogue: Catalogue) -> Usage:
        """The use that `ended` comes to under the half-life and charges of `catalogue`."""
        runs, last, usage = self._counted
        half_life = catalogue.queue.half_life
        known = runs <= len(ended) and (not runs or ended[runs - 1] is last)
        if not known or usage.half_life != half_life:
            runs, usage = 0, Usage(half_life=half_life)
        for run in ended[runs:]:
            rate = run.devices * catalogue.charge_of(run.flavour)
            usage = usage.after(run.project, rate, run.starts, run.ends)
        self._counted = _Counted(len(ended), ended[-1] if ended else None, usage)
        return usage
