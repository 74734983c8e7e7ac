"""What is wrong in pool.yaml, in words that name the place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to change: where, what was expected and found, and what to do.

    `line` counts from 1; `key` is dotted, "" for the whole file.
    """

    file: str
    line: int
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.key}: " if self.key else ""
        return f"{self.file}:{self.line}: {where}{self.problem}. {self.remedy}"


class InvalidPoolFile(Exception):
    """pool.yaml can't be used. The message has one line for each error."""

    def __init__(self, path: Path, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.path = path
        self.findings = findings


def dotted(path: KeyPath) -> str:
    """A key path as people write it: `simulated.nodes[0].cpu`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
