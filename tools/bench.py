"""Run every benchmark and write docs/benchmarks.md from what they print.

A benchmark is a script in benchmarks/ that prints one JSON object a line for each question it answers; other lines are
its progress and are passed on.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/benchmarks.md"
LONGEST_SECONDS = 600
HEAD = """# Benchmarks

`make bench` writes this page: it runs every script of benchmarks/ on the machine it is called on. Baseline and ours run
interleaved in the same run, so the ratio says more than either number alone. Values are medians, where the question
does not say "slowest".

"""
TABLE = """| question | unit | ours | baseline | ratio | aim | met | n | spread |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


class BenchmarkFailed(Exception):
    """A benchmark ended with an error or printed no result; the message names it."""


@dataclass(frozen=True)
class Answer:
    """What one benchmark says about one question; None where there is no baseline or no aim."""

    name: str
    unit: str
    ours: float
    baseline: float | None
    ratio: float | None
    aim: str | float | None
    met: bool | None
    n: int
    spread: str | float | list[float] | None

    def row(self) -> str:
        """Write it as a row of the table."""
        met = {True: "yes", False: "no", None: ""}[self.met]
        numbers = (self.ours, self.baseline, self.ratio, self.aim)
        cells = [self.name, self.unit, *map(shown, numbers), met, str(self.n), shown(self.spread)]
        return f"| {' | '.join(cells)} |\n"


def shown(value: str | float | list[float] | None) -> str:
    """Write a value short enough for a table."""
    if value is None:
        return ""
    if isinstance(value, list):
        return " to ".join(map(shown, value))
    return value if isinstance(value, str) else f"{value:.4g}"


def parse(line: str) -> Answer | None:
    """Read a line of a benchmark; None if it is progress.

    Raises:
        BenchmarkFailed: the line is an answer without one of the keys that every answer has.
    """
    if not line.startswith("{"):
        return None
    said = json.loads(line)
    missing = {"name", "unit", "ours", "n"} - said.keys()
    if missing:
        raise BenchmarkFailed(f"an answer lacks {', '.join(sorted(missing))}: {line.strip()}")
    return Answer(**{field.name: said.get(field.name) for field in fields(Answer)})


def answers(script: Path) -> Iterator[Answer]:
    """Run one benchmark and yield what it answers.

    Raises:
        BenchmarkFailed: it ended with an error, or without any answer.
    """
    command = ["timeout", str(LONGEST_SECONDS), sys.executable, str(script)]
    found = False
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            answer = parse(line)
            if answer:
                found = True
                yield answer
    if process.returncode or not found:
        raise BenchmarkFailed(f"{script.name} ended with status {process.returncode}, its answers: {found}")


def measured_on() -> str:
    """The day and this machine in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{date.today().isoformat()}, {os.cpu_count()} CPU cores, {memory:.0f} GiB memory, {system}"


def main() -> int:
    """Run all benchmarks and write the page; nothing is written if one fails."""
    page = f"{HEAD}Measured on: {measured_on()}.\n"
    try:
        for script in sorted((ROOT / "benchmarks").glob("*.py")):
            print(f"== {script.stem}", flush=True)
            rows = "".join(answer.row() for answer in answers(script))
            page += f"\n## {script.stem}\n{TABLE}{rows}"
    except BenchmarkFailed as problem:
        print(f"Stopped: {problem}; {PAGE.name} is as it was.", file=sys.stderr)
        return 1
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
