"""Taking turns at the desk: one at a time, in the order of coming, and nobody waits without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from labpool.store import StoreUnavailable

PATIENCE_SECONDS = 10.0
"""As long as the databases let a writer wait for another one."""


class NoTurn(StoreUnavailable):
    """The database is so slow that no turn came; nothing was done."""


class Turns:
    """A lock that is waited for `patience` seconds only."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._lock, self._patience = asyncio.Lock(), patience

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Have a turn.

        Raises:
            NoTurn: those before took too long; nothing was done.
        """
        if not self._lock.locked():
            async with self._lock:  # which waits for nothing then, and needs no task
                yield
            return
        taking = asyncio.ensure_future(self._lock.acquire())  # not asyncio.wait_for, which may lose a cancellation
        try:
            await asyncio.wait({taking}, timeout=self._patience)
            if not taking.done():
                raise NoTurn(f"the pool's database is too slow: no turn came within {self._patience:g} s")
            yield
        finally:
            if taking.done():
                self._lock.release()
            else:
                taking.cancel()
