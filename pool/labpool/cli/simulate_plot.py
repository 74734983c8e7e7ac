"""Devices in use and tickets in line over time, as an SVG file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from labpool.domain.simulation.outcome import Outcome
from labpool.domain.simulation.timeline import averages, busy_changes, waiting_changes

_SPANS = 360
_LEFT, _WIDTH, _HEIGHT, _GAP, _TOP = 60, 720, 160, 60, 56
_HOURS_A_TICK = (1, 2, 4, 6, 12, 24, 48, 96, 168, 336, 720, 2160, 8760)
_MOST_TICKS = 12
_STYLE = (
    "text{font:13px sans-serif;fill:#222}.axis{stroke:#888;fill:none}.use{fill:#2f6fb3}.line{fill:#b3562f}"
    "svg{background:#fff}"
    "@media (prefers-color-scheme:dark){text{fill:#ddd}svg{background:#1b1b1b}.use{fill:#6ba6e8}.line{fill:#e88f6b}}"
)


def plot(outcome: Outcome, title: str) -> str:
    """Draw an outcome from its first request to its last end. Each column is an average over its span of time."""
    until = max(run.end_s for run in outcome.runs)
    until = until if until > outcome.from_s else outcome.from_s + 1
    use = averages(busy_changes(outcome), outcome.from_s, until, _SPANS)
    line = averages(waiting_changes(outcome), outcome.from_s, until, _SPANS)
    height = _TOP + 2 * (_HEIGHT + _GAP)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 20} {height}" role="img">',
            f"<title>{escape(title)}: devices in use and tickets in line over time</title>",
            f"<style>{_STYLE}</style>",
            f'<text x="{_LEFT}" y="22">{escape(title)}</text>',
            *_panel("use", "devices in use", use, sum(outcome.devices.values()), _TOP),
            *_panel("line", "tickets in line", line, max(*line, 1.0), _TOP + _HEIGHT + _GAP),
            *_hours(until - outcome.from_s, _TOP + 2 * _HEIGHT + _GAP),
            "</svg>\n",
        ]
    )


def _panel(kind: str, label: str, values: Sequence[float], most: float, top: int) -> list[str]:
    """One filled step curve above its axis, with its label and the value at its upper edge."""
    step, bottom = _WIDTH / len(values), top + _HEIGHT
    path = f"M{_LEFT} {bottom}"
    for column, value in enumerate(values):
        path += f"V{bottom - value / most * _HEIGHT:.1f}H{_LEFT + (column + 1) * step:.1f}"
    return [
        f'<path class="{kind}" d="{path}V{bottom}Z"/>',
        f'<path class="axis" d="M{_LEFT} {top}V{bottom}H{_LEFT + _WIDTH}"/>',
        f'<text x="{_LEFT}" y="{top - 8}">{label}</text>',
        f'<text x="{_LEFT - 8}" y="{top + 5}" text-anchor="end">{most:.4g}</text>',
        f'<text x="{_LEFT - 8}" y="{bottom}" text-anchor="end">0</text>',
    ]


def _hours(length_s: float, bottom: int) -> list[str]:
    """Ticks in round hours or days below the lower panel."""
    hours = length_s / 3600
    every = next((tick for tick in _HOURS_A_TICK if hours / tick <= _MOST_TICKS), hours)
    unit, size = ("days", 24) if every >= 24 else ("h", 1)
    ticks = [every * number for number in range(1, int(hours / every) + 1)]
    return [_tick(f"{hour / size:g} {unit}", _LEFT + hour / hours * _WIDTH, bottom) for hour in ticks]


def _tick(label: str, x: float, bottom: int) -> str:
    return f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{label}</text>'
