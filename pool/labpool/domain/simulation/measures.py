"""What a replay was like for the lab: use, waits, slowdown, fairness and promises."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from labpool.domain.catalogue import Catalogue
from labpool.domain.simulation.fairness import fairness_by_moment, jain, use_for_fair_share, use_while_waiting
from labpool.domain.simulation.outcome import Outcome, Run
from labpool.domain.simulation.timeline import averages, busy_changes
from labpool.domain.simulation.trace import Arrival

SHORT_RUN_S = 600.0
UNREPORTED = "unreported"
"""Stands in place of a cause for a promise that broke without the planner saying so."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Waits:
    """How long so many tickets waited, in seconds."""

    tickets: int
    mean_s: float
    p50_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class Measures:
    """All measures of one replay.

    `utilisation` is the part of the devices' time in use while requests came, and the three of fairness are Jain's
    index, 1 where all are served alike: of what projects held for their fair share, while they waited, and from moment
    to moment; each is None where there is nothing to measure. `refused` counts requests by reason, `broken`
    promises by cause, `promises` all that were made, `requeues` how often a run was taken back and went on later,
    `left_line` requests that left before their turn. `likely_error_s` is the median error of the first estimates of a
    start, and `naive_error_s` that of saying how long the last ones of the same size waited.
    """

    waits: Waits
    waits_by_project: Mapping[str, Waits]
    waits_by_gpus: Mapping[int, Waits]
    bounded_slowdown: float
    utilisation: float | None
    fairness_of_shares: float | None
    fairness_while_waiting: float | None
    fairness_by_moment: float | None
    refused: Mapping[str, int]
    promises: int
    broken: Mapping[str, int]
    requeues: int = 0
    likely_error_s: float | None = None
    naive_error_s: float | None = None
    left_line: int = 0


def measure(outcome: Outcome, weights: Mapping[str, float]) -> Measures:
    """Take all measures. `weights` say what a project's use is divided by.

    Raises:
        ValueError: nothing ran.
    """
    if not outcome.runs:
        raise ValueError("no run to measure; expected at least one request that was let in")
    whole, estimated = requests(outcome.runs), _estimated(outcome)
    return Measures(
        waits=waits(whole),
        waits_by_project=_grouped(whole, [request.arrival.project for request in whole]),
        waits_by_gpus=_grouped(whole, [request.arrival.gpus for request in whole]),
        bounded_slowdown=sum(map(bounded_slowdown, whole)) / len(whole),
        utilisation=utilisation(outcome),
        fairness_of_shares=jain(list(use_for_fair_share(outcome, weights).values())),
        fairness_while_waiting=jain(list(use_while_waiting(outcome, weights).values())),
        fairness_by_moment=fairness_by_moment(outcome, weights),
        refused=dict(Counter(refused.reason.value for refused in outcome.refused)),
        promises=sum(run.promised_s is not None for run in outcome.runs),
        broken=broken_promises(outcome),
        requeues=sum(run.attempt > 1 for run in outcome.runs),
        likely_error_s=_median([abs(run.start_s - likely) for run, likely, _ in estimated]),
        naive_error_s=_median([abs(run.wait_s - recent) for run, _, recent in estimated]),
        left_line=len(outcome.left_line),
    )


def weights_of(catalogue: Catalogue) -> dict[str, float]:
    """What each project's use is divided by."""
    return {name: catalogue.weight_of(name) for name in catalogue.projects}


@dataclass(frozen=True, slots=True)
class Whole:
    """A request with all its stays: how long it waited for them, and ran, in seconds."""

    arrival: Arrival
    wait_s: float
    ran_s: float


def requests(runs: Iterable[Run]) -> list[Whole]:
    """The requests of which `runs` are the stays."""
    stays: dict[str, list[Run]] = {}
    for run in runs:
        stays.setdefault(run.ticket, []).append(run)
    return [
        Whole(own[0].arrival, sum(run.wait_s for run in own), sum(run.ran_s for run in own)) for own in stays.values()
    ]


def waits(runs: Sequence[Whole]) -> Waits:
    """Sum up the waits of at least one request."""
    seconds = sorted(run.wait_s for run in runs)
    mean = sum(seconds) / len(seconds)
    return Waits(len(seconds), mean, percentile(seconds, 0.50), percentile(seconds, 0.95))


def percentile(ordered: Sequence[float], part: float) -> float:
    """The smallest of the ordered values that at least `part` of them do not exceed (nearest rank)."""
    return ordered[max(math.ceil(part * len(ordered)), 1) - 1]


def bounded_slowdown(run: Whole) -> float:
    """Time from asking to the end over the time it ran, at least 1, short runs counted as ten minutes.

    Feitelson, "Metrics for parallel job scheduling and their convergence", JSSPP 2001.
    """
    return max((run.wait_s + run.ran_s) / max(run.ran_s, SHORT_RUN_S), 1.0)


def utilisation(outcome: Outcome) -> float | None:
    """Part of all devices' time in use from the first to the last request; None where they came all at once."""
    devices = sum(outcome.devices.values())
    if outcome.until_s <= outcome.from_s or not devices:
        return None
    return averages(busy_changes(outcome), outcome.from_s, outcome.until_s, 1)[0] / devices


def _estimated(outcome: Outcome) -> list[tuple[Run, float, float]]:
    """First stays for which there were both estimates, with these."""
    return [
        (run, run.likely_s, run.recent_wait_s)
        for run in outcome.runs
        if run.attempt == 1 and run.likely_s is not None and run.recent_wait_s is not None
    ]


def _median(values: list[float]) -> float | None:
    return percentile(sorted(values), 0.5) if values else None


def broken_promises(outcome: Outcome) -> dict[str, int]:
    """Promises that broke, by cause; also those that the planner did not report, found by comparing start and promise.

    A start within the turnover margin after the promise counts as kept.
    """
    causes = {report.ticket: report.cause.value for report in outcome.broken}
    late = {
        run.ticket: UNREPORTED
        for run in outcome.runs
        if run.promised_s is not None and run.start_s > run.promised_s + outcome.grace_s
    }
    return dict(Counter((late | causes).values()))


def _grouped(runs: Sequence[Whole], keys: Sequence[Key]) -> dict[Key, Waits]:
    groups: dict[Key, list[Whole]] = {}
    for key, run in sorted(zip(keys, runs, strict=True), key=lambda pair: str(pair[0]).zfill(6)):
        groups.setdefault(key, []).append(run)
    return {key: waits(group) for key, group in groups.items()}
