"""Pictures of what a setting costs: measures over its values, as benchmarks/tradeoffs.py found them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from svg import WIDTH, box, line, picture, text

LEFT, TOP, HIGH, BETWEEN = 34, 64, 140, 56
KINDS = ("a", "b", "c")
ROW = re.compile(
    r"\| (?P<what>[^|]+?), (?P<how>taken back|a place) (?P<when>[^|]+), load (?P<load>[\d.]+) \| \S+ "
    r"\| (?P<ours>[\d.e+]+) \| *[\d.e+]* *\| *(?P<ratio>[\d.e+]*) *\|"
)

Series = Mapping[str, Mapping[str, float]]
"""Values by name and setting."""


@dataclass(frozen=True)
class Panel:
    """A part of a picture: what its lines tell, in one unit."""

    caption: str
    lines: Series

    def span(self) -> tuple[float, float]:
        """From which to which value the panel goes: where lines are to be told apart, not from 0."""
        values = [value for values in self.lines.values() for value in values.values()]
        return (0.9 * min(values) if len(self.lines) > 1 else 0.0), max(values)


def taking_back(benchmarks: str) -> str:
    """Fairness and requeues over how soon owners get theirs back."""
    found = _read(benchmarks, "taken back", ratio=False)
    indices = {name.removeprefix("fairness ").split(",")[0]: found[name] for name in found if "fairness" in name}
    owners = {name: _in_minutes(found[name]) for name in found if name.startswith("mean wait of who asks for less")}
    requeues = {name: found[name] for name in found if name.startswith("requeues")}
    return _drawn(
        "What it costs to take back sooner",
        "minutes that an owner waits + minutes of notice; six projects at load 0.95",
        (
            Panel("fairness (1 is the best)", indices),
            Panel("mean wait in minutes, of projects that ask for less than their share", owners),
            Panel("runs that were taken back, of 600 requests", requeues),
        ),
    )


def places(benchmarks: str) -> str:
    """Waits for EASY's over how soon who is promised nothing gets a place."""
    found = _read(benchmarks, "a place", ratio=True)
    mean = {f"load {name[-4:]}": values for name, values in found.items() if name.startswith("mean")}
    largest = {f"load {name[-4:]}": values for name, values in found.items() if "8 GPUs" in name}
    return _drawn(
        "What it costs to give the largest a place sooner",
        "hours after which the first of a project gets a place without a promise",
        (Panel("mean wait of all, EASY's is 1", mean), Panel("wait for 8 GPUs, p95, EASY's is 1", largest)),
    )


def _read(benchmarks: str, how: str, ratio: bool) -> dict[str, dict[str, float]]:
    """Values by what is measured and at which load, and by setting."""
    found: dict[str, dict[str, float]] = {}
    for row in ROW.finditer(benchmarks):
        if row["how"] == how:
            values = found.setdefault(f"{row['what']}, load {row['load']}", {})
            values[_short(row["when"])] = float(row["ratio"] if ratio else row["ours"])
    return found


def _in_minutes(seconds: Mapping[str, float]) -> dict[str, float]:
    return {setting: value / 60 for setting, value in seconds.items()}


def _short(when: str) -> str:
    return " + ".join(re.findall(r"\d+", when)) or when


def _drawn(title: str, below: str, panels: tuple[Panel, ...]) -> str:
    parts, told = [text(14, 20, title), text(14, 38, below, "small faint")], []
    for number, panel in enumerate(panels):
        parts += _panel(panel, TOP + number * (HIGH + BETWEEN))
        told += [
            f"{panel.caption}{f', {name}' if len(panel.lines) > 1 else ''}: "
            + ", ".join(f"{setting}: {value:.3g}" for setting, value in values.items())
            for name, values in panel.lines.items()
        ]
    return picture(title, f"{below}. {'; '.join(told)}.", TOP + len(panels) * (HIGH + BETWEEN), parts)


def _panel(panel: Panel, top: float) -> Iterator[str]:
    least, most = panel.span()
    settings = list(next(iter(panel.lines.values())))
    step = (WIDTH - 2 * LEFT) / (len(settings) - 1)
    bottom = top + HIGH
    yield from _legend(panel, top)
    yield line(LEFT, bottom, WIDTH - LEFT, bottom, "axis")
    for place, setting in enumerate(settings):
        yield text(LEFT + place * step, bottom + 16, setting, "small mid")
    for kind, values in zip(KINDS, panel.lines.values(), strict=False):
        points = [
            (LEFT + i * step, bottom - (values[name] - least) / (most - least) * (HIGH - 50))
            for i, name in enumerate(settings)
        ]
        for (x, y), (to_x, to_y) in pairwise(points):
            yield line(x, y, to_x, to_y, kind)
        for (x, y), name in zip(points, settings, strict=True):
            yield box(x - 3, y - 3, 6, 6, kind)
            yield text(x, y - 7, f"{values[name]:.2g}" if most < 10 else f"{values[name]:.0f}", "small mid")


def _legend(panel: Panel, top: float) -> Iterator[str]:
    least, _ = panel.span()
    yield text(14, top + 4, panel.caption + (f"; axis from {least:.2g}" if least else ""), "small")
    x = 14.0
    for kind, name in zip(KINDS, panel.lines, strict=False):
        if len(panel.lines) > 1:
            yield box(x, top + 12, 10, 10, kind)
            yield text(x + 15, top + 21, name, "small faint")
            x += 34 + 6.2 * len(name)
