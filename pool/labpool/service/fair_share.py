"""What each project has used lately, kept current between decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from labpool.domain.catalogue import Catalogue
from labpool.domain.usage import Usage
from labpool.store import EndedRun


class _Counted(NamedTuple):
    """How far the runs are counted: so many, the last one, what they come to, and at which charges."""

    runs: int
    last: EndedRun | None
    usage: Usage
    charges: Mapping[str, float]


class FairShare:
    """Counts ended runs once, as long as each look finds those before still there; else all of them anew."""

    def __init__(self) -> None:
        self._counted = _Counted(0, None, Usage(), {})

    def usage(self, ended: Sequence[EndedRun], catalogue: Catalogue) -> Usage:
        """The use that `ended` comes to under the half-life and charges of `catalogue`."""
        runs, last, usage, counted_at = self._counted
        half_life = catalogue.queue.half_life
        charges = {name: flavour.charge for name, flavour in catalogue.flavours.items()}
        known = runs <= len(ended) and (not runs or ended[runs - 1] is last)
        if not known or (usage.half_life, counted_at) != (half_life, charges):
            runs, usage = 0, Usage(half_life=half_life)
        for run in ended[runs:]:
            rate = run.devices * catalogue.charge_of(run.flavour)
            usage = usage.after(run.project, rate, run.starts, run.ends)
        self._counted = _Counted(len(ended), ended[-1] if ended else None, usage, charges)
        return usage
