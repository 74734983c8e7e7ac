"""How long runs really last, from what was observed: nobody uses all the hours asked for.

A run is predicted by the part of its hours that runs of the same user and profile used, as far as there are any, of the
same profile, and of a prior. The prediction is the median of those parts, for one that runs already of those larger
than what it has used (the conditional median of Downey, "Predicting queue times on space-sharing parallel computers",
IPPS 1997). A user's own last runs predict best: Tsafrir, Etsion and Feitelson, "Backfilling using system-generated
predictions rather than user runtime estimates", IEEE TPDS 18(6), 2007.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import timedelta

PRIOR = (0.05, 0.15, 0.3, 0.5, 0.75, 1.0)
"""Parts of the hours that runs use where none was observed: as in logs of real systems, mostly far less than all
(Mu'alem and Feitelson, IEEE TPDS 12(6), 2001)."""

_OWN, _ALIKE = 16, 64
"""How many of the last runs are remembered of each user with a profile, and of each profile."""

_PRIOR_WEIGHT, _ALIKE_WEIGHT, _OWN_WEIGHT = 8, 3, 48
"""The whole prior weighs as much as one own run, and 64 runs of others as much as four. Whole numbers, because sums of
fractions differ in their last digit from one Python version to the next, and with it which run is the median."""

_LARGEST_WEIGHT = max(_PRIOR_WEIGHT, _ALIKE_WEIGHT, _OWN_WEIGHT)


class RunLengths:
    """What was observed so far. Of all that is remembered, a user's own runs weigh more than those of others."""

    def __init__(self) -> None:
        self._own: defaultdict[tuple[str, str], deque[float]] = defaultdict(lambda: deque(maxlen=_OWN))
        self._alike: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_ALIKE))
        self._ordered: dict[tuple[str, str], list[tuple[float, int]]] = {}

    def observe(self, user: str, profile: str, asked: timedelta, ran: timedelta) -> None:
        """Take a run into account that is over: it was given `asked`, more than nothing, and lasted for `ran`."""
        part = min(ran / asked, 1.0)
        self._own[user, profile].append(part)
        self._alike[profile].append(part)
        self._ordered.clear()

    def quantile(
        self, part_of_runs: float, user: str, profile: str, asked: timedelta, used: timedelta = timedelta(0)
    ) -> timedelta:
        """Which length so large a part of runs of `asked` doesn't exceed, of those that last longer than `used`."""
        done = used / asked if asked else 1.0
        ordered = self._ordered.get((user, profile))
        if ordered is None:
            ordered = self._ordered[user, profile] = sorted(self._observed(user, profile))
        longer = ordered[bisect_right(ordered, (done, _LARGEST_WEIGHT)) :]
        left = part_of_runs * sum(weight for _, weight in longer)
        for part, weight in longer:
            left -= weight
            if left <= 0:
                return part * asked
        return asked

    def _observed(self, user: str, profile: str) -> Iterator[tuple[float, int]]:
        """Parts with their weights: of a prior, of all runs of the profile, and of the user's own."""
        yield from ((part, _PRIOR_WEIGHT) for part in PRIOR)
        yield from ((part, _ALIKE_WEIGHT) for part in self._alike[profile])
        yield from ((part, _OWN_WEIGHT) for part in self._own[user, profile])
