"""Taking turns at the desk: one at a time, in the order of coming, and nobody waits without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from labpool.store import StoreUnavailable

PATIENCE_SECONDS = 10.0
"""As long as the databases let a writer wait for another one."""


class NoTurn(StoreUnavailable):
    """The database is so slow that no turn came; nothing was done."""


class Turns:
    """A lock that is waited for `patience` seconds only."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._lock, self._patience, self._waiting = asyncio.Lock(), patience, 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Have a turn.

        Raises:
            NoTurn: those before took too long; nothing was done.
        """
        if self._lock.locked() or self._waiting:
            await self._wait()
        else:
            await self._lock.acquire()  # at once: that needs no task
        try:
            yield
        finally:
            self._lock.release()

    async def _wait(self) -> None:
        taking = asyncio.ensure_future(self._lock.acquire())  # not asyncio.wait_for, which may lose a cancellation
        self._waiting += 1
        try:
            await asyncio.wait({taking}, timeout=self._patience)
        except BaseException:
            self._give_up(taking)
            raise
        finally:
            self._waiting -= 1
        if not taking.done():
            self._give_up(taking)
            raise NoTurn(f"the pool's database is too slow: no turn came within {self._patience:g} s")

    def _give_up(self, taking: asyncio.Future[Literal[True]]) -> None:
        if taking.done():
            self._lock.release()
        else:
            taking.cancel()
