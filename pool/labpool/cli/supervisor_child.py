"""One part kept running: started in a session of its own, started again when it dies, ended with the supervisor."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from pathlib import Path

from labpool.cli.supervisor_parts import Part

_PR_SET_PDEATHSIG = 1  # prctl(2)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_LONGEST_PAUSE_OF_ONE_THAT_ANSWERED = 1.0
_RAN_WELL_SECONDS = 10.0
_LARGEST_LOG = 10 * 1024 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """Keeps one part running.

    Args:
        part: What to run.
        log: File for its output; a large one is set aside at each start.
        on_start: Called after each start with the number of starts so far.
        say: Where to say that it can't be started.
    """

    def __init__(self, part: Part, log: Path, on_start: Callable[[int], None], say: Callable[[str], None]) -> None:
        self.part, self.log = part, log
        self.early_deaths = 0
        self.answered = False
        """Whether the running process has answered yet; set by who asks it."""
        self._on_start, self._say = on_start, say
        self._process: Process | None = None
        self._stopping = False

    async def keep_running(self) -> None:
        """Start the part, and again whenever it ends, until `stop` is called."""
        starts, pause = 0, _FIRST_PAUSE
        while not self._stopping:
            began = asyncio.get_running_loop().time()
            self.answered = False
            try:
                self._process = await self._start()
            except OSError as error:  # no process or file to be had now
                self._say(f"{self.part.title} can't be started now ({error}); trying again.")
            else:
                starts += 1
                self._on_start(starts)
                await self._process.wait()
            ran_well = asyncio.get_running_loop().time() - began >= _RAN_WELL_SECONDS
            self.early_deaths = 0 if ran_well else self.early_deaths + 1
            longest = _LONGEST_PAUSE_OF_ONE_THAT_ANSWERED if self.answered else _LONGEST_PAUSE
            pause = _FIRST_PAUSE if ran_well else min(2 * pause, longest)
            if not self._stopping:
                await asyncio.sleep(pause)

    async def stop(self, hurry: asyncio.Event) -> None:
        """End the part: politely, then, once its time is up or `hurry` is set, for good."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        done = asyncio.ensure_future(process.wait())
        told = asyncio.ensure_future(hurry.wait())
        await asyncio.wait({done, told}, timeout=self.part.stop_seconds, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not done.done():
            process.kill()
        await done

    def last_lines(self, count: int) -> str:
        """The end of the part's log."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(lines[-count:])

    async def _start(self) -> Process:
        _set_aside_if_large(self.log)
        with self.log.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *self.part.command,
                env=dict(self.part.environment),
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a Ctrl-C in the terminal reaches the supervisor only
                preexec_fn=_prepare(os.getpid()),
            )


def _prepare(parent: int) -> Callable[[], None]:
    def between_fork_and_exec() -> None:
        # what a shell starts in the background ignores SIGINT, and the hub stops servers by it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # SIGKILL, for a hub that is told politely would stop everybody's Lab
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return between_fork_and_exec


def _set_aside_if_large(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
