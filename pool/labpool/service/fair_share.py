"""What each project has used lately, kept current between decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from labpool.domain.catalogue import Catalogue
from labpool.domain.usage import Usage
from labpool.service.counting import Counted, counted_all
from labpool.store import EndedRun


class _Share(NamedTuple):
    """What the counted runs come to, and at which charges."""

    counted: Counted
    usage: Usage
    charges: Mapping[str, float]


class FairShare:
    """Counts ended runs once, as long as each look finds those before still there; else all of them anew."""

    def __init__(self) -> None:
        self._share = _Share(Counted(), Usage(), {})

    def usage(self, ended: Sequence[EndedRun], catalogue: Catalogue) -> Usage:
        """The use that `ended` comes to under the half-life and charges of `catalogue`."""
        counted, usage, counted_at = self._share
        half_life = catalogue.queue.half_life
        charges = {name: flavour.charge for name, flavour in catalogue.flavours.items()}
        if not counted.stands(ended) or (usage.half_life, counted_at) != (half_life, charges):
            counted, usage = Counted(), Usage(half_life=half_life)
        for run in ended[counted.runs :]:
            rate = run.devices * catalogue.charge_of(run.flavour)
            usage = usage.after(run.project, rate, run.starts, run.ends)
        self._share = _Share(counted_all(ended), usage, charges)
        return usage
