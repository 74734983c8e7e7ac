"""Numbers that change over time, such as busy devices: their average over spans of a trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from labpool.domain.simulation.outcome import Outcome

Change = tuple[float, float]
"""A second, and by how much the number changes then."""


def busy_changes(outcome: Outcome) -> Iterator[Change]:
    """Changes of the number of devices in use."""
    return chain.from_iterable(
        ((run.start_s, len(run.devices)), (run.end_s, -len(run.devices))) for run in outcome.runs
    )


def waiting_changes(outcome: Outcome) -> Iterator[Change]:
    """Changes of the number of tickets in line."""
    return chain.from_iterable(((run.asked_s, 1), (run.start_s, -1)) for run in outcome.runs)


def averages(changes: Iterable[Change], from_s: float, until_s: float, spans: int) -> list[float]:
    """The number's average over each of `spans` equal spans between two seconds; it is 0 before the first change.

    Raises:
        ValueError: there is no time in between.
    """
    if until_s <= from_s or spans < 1:
        raise ValueError(f"from {from_s} to {until_s} in {spans} spans; expected some time and at least one span")
    length = (until_s - from_s) / spans
    sums = [0.0] * spans
    level, since = 0.0, from_s
    for at, change in chain(sorted(changes), [(until_s, 0.0)]):
        moment = max(at, from_s)
        _add_level(sums, level, (since - from_s) / length, (moment - from_s) / length)
        level, since = level + change, moment
    return sums


def _add_level(sums: list[float], level: float, start: float, end: float) -> None:
    """Add `level` to the spans between two places counted in spans, to the first and last by their part."""
    for span in range(int(start), len(sums)):
        part = min(end, span + 1) - max(start, span)
        if part <= 0:
            return
        sums[span] += level * part
