"""Many watch, and each is shown what is new in turn: it must not keep requests and decisions waiting."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager


class WatchTurns:
    """Lets one watcher after another render, and then nobody for as long as that took.

    Whom a change is about need not stand in line, for at a thousand watchers the others' turns take long.
    """

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._watching: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def prefer(self, about: Collection[str]) -> None:
        """Let those go first who watch one of these."""
        for name in about:
            for concerned in self._watching.get(name, ()):
                concerned.set()

    @contextmanager
    def watching(self, about: str) -> Iterator[asyncio.Event]:
        """Be preferred, from now on, where a change is about `about`; what this gives is set then."""
        concerned = asyncio.Event()
        self._watching[about].add(concerned)
        try:
            yield concerned
        finally:
            self._watching[about].discard(concerned)
            if not self._watching[about]:
                del self._watching[about]

    @asynccontextmanager
    async def turn(self, concerned: asyncio.Event, patience: float) -> AsyncIterator[bool]:
        """Render within, where this gives True; False where it was not one's turn within `patience` seconds."""
        mine = asyncio.ensure_future(self._one_at_a_time.acquire())
        first = asyncio.ensure_future(concerned.wait())
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            done, _ = await asyncio.wait({mine, first}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            began = loop.time()
            concerned.clear()
            yield bool(done)
        finally:
            first.cancel()
            mine.cancel()
            if mine.done() and not mine.cancelled():
                loop.call_later(loop.time() - began, self._one_at_a_time.release)
