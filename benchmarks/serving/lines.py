"""The lines that benchmarks print, which tools/bench.py reads."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least `part` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(part * len(ordered)), 1) - 1]


def tell_ratio(
    name: str,
    unit: str,
    ours: Sequence[float],
    baseline: Sequence[float],
    aim: float | None = None,
    *,
    at_most: bool = False,
) -> None:
    """A line for what should be at least, or at most, `aim` times the baseline; medians of both."""
    mine, theirs = statistics.median(ours), statistics.median(baseline)
    ratio = mine / theirs
    line = {"name": name, "unit": unit, "ours": round(mine, 4), "baseline": round(theirs, 4), "ratio": round(ratio, 3)}
    if aim is not None:
        met = ratio <= aim if at_most else ratio >= aim
        line |= {"aim": f"ratio {'<=' if at_most else '>='} {aim}", "met": met}
    line |= {"n": len(ours), "spread": [round(min(ours), 4), round(max(ours), 4)]}
    print(json.dumps(line), flush=True)


def tell(name: str, unit: str, value: float, spread: Sequence[float], aim: float | None = None) -> None:
    """A line without a baseline, for what should be less than `aim`."""
    line: dict[str, object] = {"name": name, "unit": unit, "ours": round(value, 4), "baseline": None, "ratio": None}
    if aim is not None:
        line |= {"aim": f"< {aim}", "met": value < aim}
    line |= {"n": len(spread), "spread": [round(min(spread), 4), round(max(spread), 4)]}
    print(json.dumps(line), flush=True)
