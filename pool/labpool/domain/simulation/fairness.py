"""How alike a replay served the projects, for their weights."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from labpool.domain.simulation.outcome import Outcome

Span = tuple[float, float]


def jain(shares: Sequence[float]) -> float | None:
    """Jain's index: 1 where all shares are equal, 1/n where one of n has all; None for fewer than two, or all 0.

    Jain, Chiu and Hawe, "A quantitative measure of fairness and discrimination for resource allocation in shared
    computer systems", DEC-TR-301, 1984.
    """
    squares = len(shares) * sum(share * share for share in shares)
    return sum(shares) ** 2 / squares if len(shares) > 1 and squares else None


def fair_shares(devices: float, wanted: Mapping[str, float], weights: Mapping[str, float]) -> dict[str, float]:
    """What each project may have of so many devices: for its weight as much as any other, but no more than it wants.

    Weighted max-min fairness by progressive filling: Bertsekas and Gallager, "Data Networks", 2nd edition, 6.5.2.
    """
    shares: dict[str, float] = {}
    for project in sorted(wanted, key=lambda name: wanted[name] / weights[name]):
        rest = sum(weights[name] for name in wanted if name not in shares)
        shares[project] = min(wanted[project], (devices - sum(shares.values())) * weights[project] / rest)
    return shares


def use_for_fair_share(outcome: Outcome, weights: Mapping[str, float]) -> dict[str, float]:
    """What each project held, over its fair share, while requests came and somebody waited for such devices.

    The fair share follows what the projects want at each moment: what they hold and what they wait for. So who asks for
    less than its weight would give it counts as served fairly once it has what it asks for.
    """
    held, fair = defaultdict[str, float](float), defaultdict[str, float](float)
    for flavour, devices in outcome.devices.items():
        for length, waiting, holding in _moments(outcome, flavour):
            if not any(waiting.values()):
                continue
            wanted = {name: many for name in weights if (many := waiting[name] + holding[name]) > 0}
            for project, share in fair_shares(devices, wanted, weights).items():
                held[project] += holding[project] * length
                fair[project] += share * length
    return {project: held[project] / fair[project] for project in sorted(fair) if fair[project] > 0}


def use_while_waiting(outcome: Outcome, weights: Mapping[str, float]) -> dict[str, float]:
    """Devices a project held on average while it wanted more, over its weight.

    Only the time counts in which a ticket of the project waits, within the time in which requests came: a project that
    uses little because it asks for little is not treated unfairly. Projects that never waited are left out.
    """
    uses = {}
    for project in sorted({run.arrival.project for run in outcome.runs}):
        own = [run for run in outcome.runs if run.arrival.project == project]
        wanting = _united((run.asked_s, min(run.start_s, outcome.until_s)) for run in own)
        length = sum(end - start for start, end in wanting)
        if length > 0:
            held = sum(len(run.devices) * _common((run.start_s, run.end_s), wanting) for run in own)
            uses[project] = held / length / weights[project]
    return uses


def fairness_by_moment(outcome: Outcome, weights: Mapping[str, float]) -> float | None:
    """Jain's index of devices held over weight among the projects that want more, averaged over time.

    Only moments count in which at least two projects wait. Beside the index over the whole time it tells how devices
    are dealt while they are scarce, also where one project seldom has to wait.
    """
    fair, whole = 0.0, 0.0
    for length, waiting, held in _moments(outcome):
        index = jain([held[name] / weights[name] for name, many in waiting.items() if many > 0])
        if index is not None:
            fair, whole = fair + index * length, whole + length
    return fair / whole if whole else None


def _moments(outcome: Outcome, flavour: str = "") -> Iterator[tuple[float, Counter[str], Counter[str]]]:
    """Cut the time in which requests came where anything changes, for one flavour or for all together.

    Of each moment its length in seconds, and the devices that each project waits for and holds then.
    """
    changes: defaultdict[float, list[tuple[bool, str, int]]] = defaultdict(list)
    for run in outcome.runs:
        if flavour in ("", run.arrival.flavour):
            project, devices = run.arrival.project, len(run.devices)
            changes[run.asked_s].append((True, project, devices))
            changes[run.start_s] += [(True, project, -devices), (False, project, devices)]
            changes[run.end_s].append((False, project, -devices))
    waiting, held, since = Counter[str](), Counter[str](), outcome.from_s
    for at in sorted(changes):
        until = min(at, outcome.until_s)
        if until > since:
            yield until - since, waiting, held
            since = until
        for waits, project, devices in changes[at]:
            (waiting if waits else held)[project] += devices


def _united(spans: Iterable[Span]) -> list[Span]:
    """The time that at least one of `spans` covers, as spans that do not touch; empty ones are left out."""
    united: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        else:
            united.append((start, end))
    return united


def _common(span: Span, spans: Iterable[Span]) -> float:
    return sum(max(min(span[1], end) - max(span[0], start), 0.0) for start, end in spans)
