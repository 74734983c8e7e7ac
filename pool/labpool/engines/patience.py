"""Waiting for a call that may never return, such as one into a driver that hangs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

_T = TypeVar("_T")


class StillWaiting(Exception):
    """The call has not returned yet."""


class Patient(Generic[_T]):
    """Makes a blocking call in a thread of its own, one at a time, and waits so long and no longer.

    A call that hangs is not made again: whoever asks waits for the same one. Its thread ends with the program.
    """

    def __init__(self, call: Callable[[], _T], seconds: float) -> None:
        self._call = call
        self._seconds = seconds
        self._pending: Future[_T] | None = None

    async def __call__(self) -> _T:
        """The result of the call.

        Raises:
            StillWaiting: it takes longer than the patience lasts.
            Exception: whatever the call raised.
        """
        pending = self._pending
        if pending is None:
            pending = self._pending = self._start()
        waiting = asyncio.wrap_future(pending)
        await asyncio.wait({waiting}, timeout=self._seconds)
        if not waiting.done():
            waiting.add_done_callback(_look_at)
            raise StillWaiting(f"no answer for {self._seconds:g} s")
        if self._pending is pending:
            self._pending = None
        return waiting.result()

    def _start(self) -> Future[_T]:
        future: Future[_T] = Future()
        threading.Thread(target=self._run, args=(future,), daemon=True, name="labpool-driver").start()
        return future

    def _run(self, future: Future[_T]) -> None:
        try:
            future.set_result(self._call())
        except BaseException as error:  # whatever it is, the one who waits shall get it
            future.set_exception(error)


def _look_at(late: asyncio.Future[_T]) -> None:
    """Take note of a late result, so that asyncio doesn't report an error that nobody waited for."""
    if not late.cancelled():
        late.exception()
