"""Which process works with a SQLite file: a lock that the kernel gives back however the process ends."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TextIO


class FileLock:
    """The lock beside a SQLite file. Its file stays there; who has it locked decides.

    Args:
        database: The SQLite file; it need not be there yet.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.lock")
        self._held: TextIO | None = None

    def take(self, holder: str) -> bool:
        """Take the lock for `holder` unless somebody else has it; whoever has it keeps it."""
        if self._held is not None:
            return True
        file = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        file.truncate(0)
        file.write(holder)
        file.flush()
        self._held = file
        return True

    def holder(self) -> str:
        """Who took it last."""
        try:
            return self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def give_back(self) -> None:
        """Let others have it."""
        if self._held is not None:
            self._held.close()
            self._held = None
