"""What runs that are over have used of the projects' budgets, kept current between decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from labpool.domain.budgets import Account, Spent, costs
from labpool.domain.catalogue import Catalogue
from labpool.service.counting import Tally
from labpool.store import EndedRun


class Spending:
    """What ended runs come to of each budget."""

    def __init__(self) -> None:
        self._tally = Tally[Spent]()

    def spent(self, ended: Sequence[EndedRun], catalogue: Catalogue) -> Spent:
        """What `ended` comes to under the budgets of `catalogue`, each run at the charge that it began with."""
        budgets = catalogue.budgets()

        def with_runs(spent: Spent, runs: Sequence[EndedRun]) -> Spent:
            used: Counter[Account] = Counter(spent.of)
            for run in runs:
                if run.project in budgets:
                    used.update(dict(costs(run.project, budgets[run.project], run.rate, run.starts, run.ends)))
            return Spent(used)

        return self._tally.of(ended, budgets, Spent, with_runs)
