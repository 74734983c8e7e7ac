"""How long runs really last, from what was observed: nobody uses all the hours asked for.

A run is predicted by the part of their hours that runs of the same user and profile used, runs of the same profile, and
all runs, as far as there are any, and by a prior. Those for which about as many hours were asked say most: of few hours
a larger part is used. The prediction is a quantile of those parts, for a run that goes on already of those larger than
what it has used (the conditional median of Downey, "Predicting queue times on space-sharing parallel computers", IPPS
1997). A user's own last runs predict best: Tsafrir, Etsion and Feitelson, "Backfilling using system-generated
predictions rather than user runtime estimates", IEEE TPDS 18(6), 2007.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

PRIOR = (0.05, 0.15, 0.3, 0.5, 0.75, 1.0)
"""Parts of the hours that runs use where none was observed: as in logs of real systems, mostly far less than all
(Mu'alem and Feitelson, IEEE TPDS 12(6), 2001)."""

_OWN, _ALIKE, _ALL = 16, 64, 128
"""How many of the last runs are remembered of each user with a profile, of each profile, and of all."""

_PRIOR_WEIGHT, _ALL_WEIGHT, _ALIKE_WEIGHT, _OWN_WEIGHT = 16, 3, 3, 12
"""A user's own run counts six times as much as one of another profile: as any, as the profile's, and as the user's.
Whole numbers, because sums of fractions differ in their last digit from one Python version to the next, and with it
which run is the median."""

_CLOSENESS = (16, 3)
"""So many times more a run counts that asked for about as many hours, and one that asked for up to twice or half."""

_LARGEST_WEIGHT = _CLOSENESS[0] * max(_PRIOR_WEIGHT, _OWN_WEIGHT)


class _Run(NamedTuple):
    part: float
    size: int


class RunLengths:
    """What was observed so far. Of all that is remembered, a user's own runs weigh more than those of others."""

    def __init__(self) -> None:
        self._own: defaultdict[tuple[str, str], deque[_Run]] = defaultdict(lambda: deque(maxlen=_OWN))
        self._alike: defaultdict[str, deque[_Run]] = defaultdict(lambda: deque(maxlen=_ALIKE))
        self._all: deque[_Run] = deque(maxlen=_ALL)
        self._ordered: dict[tuple[str, str, int], list[tuple[float, int]]] = {}

    def observe(self, user: str, profile: str, asked: timedelta, ran: timedelta) -> None:
        """Take a run into account that is over: it was given `asked`, more than nothing, and lasted for `ran`."""
        run = _Run(min(ran / asked, 1.0), _size(asked))
        self._own[user, profile].append(run)
        self._alike[profile].append(run)
        self._all.append(run)
        self._ordered.clear()

    def quantile(
        self, part_of_runs: float, user: str, profile: str, asked: timedelta, used: timedelta = timedelta(0)
    ) -> timedelta:
        """Which length so large a part of runs of `asked` doesn't exceed, of those that last longer than `used`."""
        done, size = used / asked if asked else 1.0, _size(asked)
        ordered = self._ordered.get((user, profile, size))
        if ordered is None:
            ordered = self._ordered[user, profile, size] = sorted(self._observed(user, profile, size))
        longer = ordered[bisect_right(ordered, (done, _LARGEST_WEIGHT)) :]
        left = part_of_runs * sum(weight for _, weight in longer)
        for part, weight in longer:
            left -= weight
            if left <= 0:
                return part * asked
        return asked

    def _observed(self, user: str, profile: str, size: int) -> Iterator[tuple[float, int]]:
        """Parts that runs of such a size used, with weights."""
        yield from ((part, _PRIOR_WEIGHT) for part in PRIOR)
        kinds = (
            (self._all, _ALL_WEIGHT),
            (self._alike[profile], _ALIKE_WEIGHT),
            (self._own[user, profile], _OWN_WEIGHT),
        )
        for runs, weight in kinds:
            yield from ((run.part, weight * _closeness(run.size, size)) for run in runs)


def _size(asked: timedelta) -> int:
    """How often one minute was doubled to come to so many."""
    return (asked // timedelta(minutes=1)).bit_length()


def _closeness(size: int, other: int) -> int:
    apart = abs(size - other)
    return _CLOSENESS[apart] if apart < len(_CLOSENESS) else 1
