"""One TensorBoard in a process of its own, and the connection to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator
from pathlib import Path

import httpx

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "HOME", "TZ")
_ANSWER_SECONDS = 60.0
_LOG_TAIL = 2000


class TensorBoardFailed(Exception):
    """A TensorBoard ended, or gave no answer, while it started."""


class TensorBoardChild:
    """A running TensorBoard. Its socket lies in a folder that only our own account can enter.

    It gets no secret of ours: neither our environment nor what the browser sent to prove who it is.
    """

    def __init__(self, process: Process, private: Path) -> None:
        self._process, self._private = process, private
        transport = httpx.AsyncHTTPTransport(uds=str(private / "socket"))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://tensorboard", timeout=_ANSWER_SECONDS)
        self._requests, self._last_used = 0, time.monotonic()

    @classmethod
    async def start(cls, folder: Path, path_prefix: str, start_seconds: float) -> TensorBoardChild:
        """Start one over a folder and wait until it listens.

        Args:
            folder: the project's folder.
            path_prefix: path of its page as the browser sees it, without a slash at the end.
            start_seconds: longest wait.

        Raises:
            TensorBoardFailed: it ended, or didn't listen in time.
        """
        private = Path(tempfile.mkdtemp(prefix="labpool-tensorboard-"))
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        arguments = ["--logdir", str(folder), "--socket", str(private / "socket"), "--path-prefix", path_prefix]
        with (private / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "labpool_logs.tensorboard_process", *arguments, "--end-with-stdin"],
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=log,
                cwd=private,
                env=environment | {"TMPDIR": str(private)},
            )
        child = cls(process, private)
        try:
            await child._wait_until_it_listens(start_seconds)
        except BaseException:
            await child.end()
            raise
        return child

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def is_running(self) -> bool:
        """Say whether the process lives."""
        return self._process.returncode is None

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last request was answered in full; 0 while one is being answered."""
        return 0.0 if self._requests else time.monotonic() - self._last_used

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Mark it as used as long as a request is being answered."""
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1
            self._last_used = time.monotonic()

    async def end(self) -> None:
        """End it at once, for it only reads, and remove what it leaves; answers under way break off."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self.http.aclose()
        await asyncio.to_thread(shutil.rmtree, self._private, ignore_errors=True)

    async def _wait_until_it_listens(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not await self._listens():
            if not self.is_running():
                raise TensorBoardFailed(f"it ended while it started; its last words: {self._last_words()}")
            if time.monotonic() > deadline:
                raise TensorBoardFailed(f"no answer within {seconds:g} s; its last words: {self._last_words()}")
            await asyncio.sleep(0.05)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(self._private / "socket")
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        writer.close()
        return True

    def _last_words(self) -> str:
        text = (self._private / "log").read_text(encoding="utf-8", errors="replace").strip()
        return text[-_LOG_TAIL:] or "none"
