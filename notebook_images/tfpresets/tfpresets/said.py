"""What the package tells the person at the notebook: one printed line at a time."""

from __future__ import annotations

from functools import cache


def say(line: str) -> None:
    """Print a line with the package's name, so that a reader of the output knows who says it."""
    print(f"tfpresets: {line}")


@cache
def say_once(line: str) -> None:
    """Print a line the first time it is said in this process."""
    say(line)
