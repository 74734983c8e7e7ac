"""Finding and ending all processes of a pod, or of a cluster: their end takes everything in them along."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

MARK = "LABPOOL_TEST_FOLDER"
"""In the environment of all processes of a pod the pod's folder, in that of the cluster's own the cluster's."""


_LONGEST_DEATH = 20
"""Seconds; a killed process still has to have its turn on a busy machine."""


def end_leftovers(folder: Path) -> None:
    """Kill what still runs of the cluster or pod whose folder this is, and of the pods below it; all are dead then."""
    deadline = time.monotonic() + _LONGEST_DEATH
    while (left := processes_below(folder)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def processes_below(folder: Path) -> list[int]:
    """The processes of the cluster or pod whose folder this is, and of the pods below it."""
    marks = [f"\0{MARK}={folder}{end}".encode() for end in ("\0", "/")]
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if any(mark in _environment(pid) for mark in marks)]


def _environment(pid: int) -> bytes:
    # empty for what has ended, zombies included, and for other users' processes
    try:
        return b"\0" + Path(f"/proc/{pid}/environ").read_bytes() + b"\0"
    except OSError:
        return b""
