"""What runs that are over have used of the projects' budgets, kept current between decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from labpool.domain.budgets import Account, Budget, Spent, costs
from labpool.domain.catalogue import Catalogue
from labpool.service.counting import Counted, counted_all
from labpool.store import EndedRun


class _Settled(NamedTuple):
    """What the counted runs come to, under which budgets and at which charges."""

    counted: Counted
    spent: Spent
    budgets: Mapping[str, Budget]
    charges: Mapping[str, float]


class Spending:
    """Counts ended runs once, as long as each look finds those before still there; else all of them anew."""

    def __init__(self) -> None:
        self._settled = _Settled(Counted(), Spent(), {}, {})

    def spent(self, ended: Sequence[EndedRun], catalogue: Catalogue) -> Spent:
        """What `ended` comes to under the budgets and charges of `catalogue`."""
        counted, spent, *counted_at = self._settled
        budgets = catalogue.budgets()
        charges = {name: flavour.charge for name, flavour in catalogue.flavours.items()}
        if not counted.stands(ended) or counted_at != [budgets, charges]:
            counted, spent = Counted(), Spent()
        if new := ended[counted.runs :]:
            spent = _with_runs(spent, new, catalogue, budgets)
        self._settled = _Settled(counted_all(ended), spent, budgets, charges)
        return spent


def _with_runs(spent: Spent, runs: Iterable[EndedRun], catalogue: Catalogue, budgets: Mapping[str, Budget]) -> Spent:
    used: Counter[Account] = Counter(spent.of)
    for run in runs:
        if run.project in budgets:
            rate = catalogue.rate(run.flavour, run.devices)
            used.update(dict(costs(run.project, budgets[run.project], rate, run.starts, run.ends)))
    return Spent(used)
