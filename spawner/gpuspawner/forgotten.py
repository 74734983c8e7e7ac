"""Server processes that a killed hub forgot: forked, but not yet in its database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from gpuspawner.environment import server_process_environment

_PID_FILE = "server.pid"
_LOOK_SECONDS = 0.1


def noting_its_pid(runtime: Path, prepare: Callable[[], None]) -> Callable[[], None]:
    """A preexec function that notes the new process in `runtime`, then does what `prepare` does.

    The process writes its own number before it becomes the server, so there is no moment in which a hub that dies
    leaves a server that nobody knows.
    """

    def between_fork_and_exec() -> None:
        with contextlib.suppress(OSError):
            (runtime / _PID_FILE).write_text(str(os.getpid()), encoding="ascii")
        prepare()

    return between_fork_and_exec


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
    pid = _noted(runtime)
    if not _runs(pid, user, name):
        return False
    _signal(pid, signal.SIGTERM)
    deadline = asyncio.get_running_loop().time() + patience
    while _runs(pid, user, name):
        if asyncio.get_running_loop().time() > deadline:
            _signal(pid, signal.SIGKILL)
        await asyncio.sleep(_LOOK_SECONDS)
    return True


def _noted(runtime: Path) -> int:
    try:
        return int((runtime / _PID_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def _runs(pid: int, user: str, name: str) -> bool:
    return pid > 0 and bool(server_process_environment(pid, user, name))


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
