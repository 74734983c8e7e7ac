"""The processes of a test cluster: each can be killed and started again by name, on the same ports and data."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.real_hub import wait_until

LONGEST_START = 180
"""Seconds; on a machine that is busy with other tests."""


class ProcessEnded(Exception):
    """A process of the cluster ended by itself; the message names it and shows the end of its log."""


@dataclass
class ClusterProcess:
    """One program of the cluster.

    Args:
        name: What it is called in `Cluster.kill` and in the log folder.
        command: How it is started.
        log: The file that its output is added to.
        is_ready: Whether it does its work.
        environ: What is set for it beside our own environment.
    """

    name: str
    command: Sequence[str]
    log: Path
    is_ready: Callable[[], bool]
    environ: Mapping[str, str] = field(default_factory=dict)
    _running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process to look at while it runs."""
        assert self._running is not None, f"{self.name} doesn't run"
        return self._running.pid

    @property
    def runs(self) -> bool:
        """Whether it was started, and not killed since."""
        return self._running is not None

    def begin(self) -> None:
        """Start it and don't wait."""
        # A session of its own: Ctrl-C in the terminal ends the cluster in order, not all of it at once.
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Wait until it does its work.

        Raises:
            ProcessEnded: it ended instead.
        """
        wait_until(self._ready_or_raise, f"the start of {self.name} (log: {self.log})", LONGEST_START)

    def start(self) -> None:
        """Start it and wait until it does its work."""
        self.begin()
        self.wait_until_ready()

    def kill(self) -> None:
        """End it as kill -9 does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as it ends by itself, or, after ten seconds, as kill -9 does."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._running is None:
            return
        self._running.send_signal(how)
        try:
            self._running.wait(10)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._running = None

    def _ready_or_raise(self) -> bool:
        if self._running is None or self._running.poll() is not None:
            end = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise ProcessEnded(f"{self.name} ended while it was started. The end of {self.log}:\n{end}")
        return self.is_ready()
