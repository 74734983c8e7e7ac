"""Server processes that a killed hub forgot: forked, but not yet in its database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from gpuspawner.environment import server_process_environment

_PID_FILE = "server.pid"
_LOOK_SECONDS = 0.1


def note_process(runtime: Path, pid: int | None) -> None:
    """Note in `runtime` which process is the server; None just before it is forked.

    A hub that dies between the two leaves a note without a number, and then the process is looked for: there is no
    moment in which a server is left that nobody knows.
    """
    (runtime / _PID_FILE).write_text(str(pid or ""), encoding="ascii")


async def end_forgotten(runtime: Path, user: str, name: str, patience: float = 5.0) -> bool:
    """End the server process noted in `runtime` if it still runs; called when the hub knows of none.

    Args:
        runtime: The server's runtime folder.
        user: Whose server it is.
        name: The server's name; "" is the default server.
        patience: Seconds from SIGTERM to SIGKILL.

    Returns:
        Whether there was one.
    """
    left = [pid for pid in await asyncio.to_thread(_noted, runtime) if _runs(pid, user, name, runtime)]
    if not left:
        return False
    _signal(left, signal.SIGTERM)
    deadline = asyncio.get_running_loop().time() + patience
    while left := [pid for pid in left if _runs(pid, user, name, runtime)]:
        if asyncio.get_running_loop().time() > deadline:
            _signal(left, signal.SIGKILL)
        await asyncio.sleep(_LOOK_SECONDS)
    return True


def _noted(runtime: Path) -> list[int]:
    """The process of the note; all there are where it names none, for the right one may be any of them."""
    try:
        noted = (runtime / _PID_FILE).read_text(encoding="ascii")
    except (OSError, ValueError):
        return []
    if noted:
        return [int(noted)] if noted.isdecimal() else []
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _runs(pid: int, user: str, name: str, runtime: Path) -> bool:
    return server_process_environment(pid, user, name).get("LABPOOL_RUNTIME") == str(runtime)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
