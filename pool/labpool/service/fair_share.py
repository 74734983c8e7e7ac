"""What each project has used lately, kept current between decisions."""

from __future__ import annotations

from collections.abc import Sequence

from labpool.domain.catalogue import Catalogue
from labpool.domain.usage import Usage
from labpool.service.counting import Tally
from labpool.store import EndedRun


class FairShare:
    """The use that ended runs come to."""

    def __init__(self) -> None:
        self._tally = Tally[Usage]()

    def usage(self, ended: Sequence[EndedRun], catalogue: Catalogue) -> Usage:
        """The use that `ended` comes to under the half-life of `catalogue`, each run at the charge it began with."""

        def with_runs(usage: Usage, runs: Sequence[EndedRun]) -> Usage:
            for run in runs:
                usage = usage.after(run.project, run.devices * run.charge, run.starts, run.ends)
            return usage

        half_life = catalogue.queue.half_life
        return self._tally.of(ended, half_life, lambda: Usage(half_life=half_life), with_runs)
