"""How `labpool simulate` shows what it measured: tables for people, one JSON object for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labpool.domain.simulation.measures import Measures, Waits
from labpool.domain.simulation.outcome import Outcome
from labpool.domain.simulation.policies import PolicyName
from labpool.domain.simulation.trace import csv_line
from labpool.domain.words import count, span


@dataclass(frozen=True, slots=True)
class Simulation:
    """A trace, a pool and a policy, and what came of the three. `devices` counts devices by flavour."""

    trace: Path
    pool: Path
    policy: PolicyName
    devices: Mapping[str, int]
    measures: Measures


def as_text(simulation: Simulation) -> str:
    """The simulation as JSON: `trace`, `pool`, `policy`, `devices`, and `measures` with times in seconds."""
    named = {"trace": str(simulation.trace), "pool": str(simulation.pool), "policy": simulation.policy.value}
    return json.dumps(asdict(simulation) | named, indent=2)


def grants_csv(outcome: Outcome) -> str:
    """Every grant in order: of which request of the trace, at its which attempt, when, and which devices."""
    lines = [csv_line(("grant", "request", "attempt", "start_s", "user", "project", "devices"))]
    for number, run in enumerate(outcome.runs, start=1):
        who = (run.arrival.user, run.arrival.project)
        numbers = (number, run.request, run.attempt, f"{run.start_s:.6f}")
        lines.append(csv_line((*map(str, numbers), *who, " ".join(run.devices))))
    return "".join(lines)


def print_tables(simulation: Simulation, out: Console) -> None:
    """Print the waits as a table and all else as lines."""
    devices = ", ".join(f"{many} {flavour}" for flavour, many in simulation.devices.items())
    _line(out, f"{simulation.trace} played by {simulation.policy.value} with {simulation.pool} ({devices})")
    out.print(_waits(simulation.measures))
    for line in _lines(simulation.measures):
        _line(out, line)


def _waits(measures: Measures) -> Table:
    table = Table(title="Waits", title_justify="left")
    table.add_column("")
    for column in ("requests", "mean", "half within", "95 % within"):
        table.add_column(column, justify="right")
    table.add_row("all", *_cells(measures.waits))
    for project, waits in measures.waits_by_project.items():
        table.add_row(escape(project), *_cells(waits))
    for gpus, waits in measures.waits_by_gpus.items():
        table.add_row(count(gpus, "GPU"), *_cells(waits))
    return table


def _cells(waits: Waits) -> list[str]:
    return [str(waits.tickets), *(_span(seconds) for seconds in (waits.mean_s, waits.p50_s, waits.p95_s))]


def _lines(measures: Measures) -> list[str]:
    use = "not measured" if measures.utilisation is None else f"{measures.utilisation:.1%} while requests came"
    return [
        f"Devices in use: {use}",
        f"Bounded slowdown: {measures.bounded_slowdown:.2f} on average",
        f"Fairness of what projects held for their fair share: {_index(measures.fairness_of_shares)}",
        f"Fairness between projects while they waited: {_index(measures.fairness_while_waiting)}",
        f"Fairness at each moment between projects that wait then: {_index(measures.fairness_by_moment)}",
        f"Requests whose borrowed devices were taken back: {measures.requeues}",
        f"Error of the first estimate of a start: {_error(measures.likely_error_s)} in the median, "
        f"and of the last waits: {_error(measures.naive_error_s)}",
        f"Promises broken: {_counts(measures.broken)} of {measures.promises}"
        if measures.promises
        else "Promises: none",
        f"Requests that left the line before their turn: {measures.left_line}",
        f"Requests refused: {_counts(measures.refused)}",
    ]


def _index(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f} (1 is the best)"


def _error(seconds: float | None) -> str:
    return "not measured" if seconds is None else _span(seconds)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{many} by {cause}" for cause, many in counts.items()) or "none"


def _span(seconds: float) -> str:
    return span(timedelta(seconds=seconds))


def _line(out: Console, text: str) -> None:
    out.print(text, markup=False, soft_wrap=True, highlight=False)
