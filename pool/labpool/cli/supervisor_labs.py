"""Servers that a stopping hub missed: one it was just starting, or all of them where it had died before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

_PROC = Path("/proc")
_LOOK_SECONDS = 0.1
_KILL_SECONDS = 5.0


async def end_labs(pool_id: str, seconds: float) -> tuple[int, ...]:
    """End all processes that were started for this pool: politely, and after `seconds` for good.

    Returns:
        Those that won't end.
    """
    for pid in processes_of(pool_id):
        _signal(pid, signal.SIGTERM)
    began = asyncio.get_running_loop().time()
    while left := processes_of(pool_id):
        waited = asyncio.get_running_loop().time() - began
        if waited > seconds:
            for pid in left:
                _signal(pid, signal.SIGKILL)
        if waited > seconds + _KILL_SECONDS:
            break  # the kernel holds them (a hanging driver, say); nobody can end them now
        await asyncio.sleep(_LOOK_SECONDS)
    return left


def processes_of(pool_id: str) -> tuple[int, ...]:
    """Live processes with this pool's `LABPOOL_POOL` in the environment they were started with (proc(5))."""
    mark = f"\0LABPOOL_POOL={pool_id}\0".encode()
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
    return tuple(pid for pid in pids if mark in b"\0" + _environment(pid) + b"\0")


def _environment(pid: int) -> bytes:
    # empty for what has ended, zombies included, and for other users' processes
    try:
        return (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return b""


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
