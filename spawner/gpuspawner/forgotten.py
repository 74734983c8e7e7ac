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
    pid = _noted(runtime, user, name)
    if not _runs(pid, user, name):
        return False
    _signal(pid, signal.SIGTERM)
    deadline = asyncio.get_running_loop().time() + patience
    while _runs(pid, user, name):
        if asyncio.get_running_loop().time() > deadline:
            _signal(pid, signal.SIGKILL)
        await asyncio.sleep(_LOOK_SECONDS)
    return True


def _noted(runtime: Path, user: str, name: str) -> int:
    try:
        noted = (runtime / _PID_FILE).read_text(encoding="ascii")
    except (OSError, ValueError):
        return 0
    if noted:
        return int(noted) if noted.isdecimal() else 0
    running = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return next((pid for pid in running if _runs(pid, user, name)), 0)


def _runs(pid: int, user: str, name: str) -> bool:
    return pid > 0 and bool(server_process_environment(pid, user, name))


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
