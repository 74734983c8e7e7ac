"""Telling those who watch that something changed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from contextlib import suppress

from labpool.service.watch_turns import WatchTurns


class Changes:
    """A counter that can be waited on. Watchers render what they show anew; nothing is queued for slow ones."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = asyncio.Event()
        self.turns = WatchTurns()
        self.askers = Counter[str]()
        """For which tickets how many spawners still wait, each of which starts by itself with what it is granted."""

    @property
    def count(self) -> int:
        """How many changes there were."""
        return self._count

    def announce(self, about: Collection[str] = ()) -> None:
        """Wake all who wait, and prefer those who watch one of the tickets or users that the change is about."""
        self._count += 1
        self.turns.prefer(about)
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, count: int, timeout: float) -> int:
        """Wait until there were more than `count` changes, `timeout` seconds at most; give the count then."""
        if self._count <= count:
            changed = self._changed
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(changed.wait(), timeout)
        return self._count
