"""Which process works with a SQLite file: a lock that the kernel gives back however the process ends."""

from __future__ import annotations

import fcntl
from contextlib import suppress
from io import FileIO
from pathlib import Path


class FileLock:
    """The lock beside a SQLite file. Its file stays there; who has it locked decides.

    Args:
        database: The SQLite file; it need not be there yet.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.lock")
        self._held: FileIO | None = None

    def take(self, holder: str) -> bool:
        """Take the lock for `holder` unless somebody else has it; whoever has it keeps it."""
        if self._held is not None:
            return True
        file = FileIO(self._path, "a+")  # unbuffered, so that closing it writes nothing
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._held = file
        with suppress(OSError):  # on a full disk nobody is told who has it; it is held all the same
            file.truncate(0)
            file.write(holder.encode())
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
