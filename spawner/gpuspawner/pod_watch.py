"""Keeping the watches on pods and events alive: KubeSpawner hands out one that has given up as if it went on.

A watch gives up after about 50 seconds without the API server. One whose first list failed, or was no longer waited
for, never begins, but is named all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, MutableMapping
from typing import Protocol, TypeVar


class Watch(Protocol):
    """As much of KubeSpawner's reflectors as says whether they watch."""

    watch_task: asyncio.Task[None] | None


AnyWatch = TypeVar("AnyWatch", bound=Watch)


class Watches:
    """Begins a watch anew where there is none that goes on, once for all who want to look.

    Args:
        known: KubeSpawner's watches, those that have given up among them.
    """

    def __init__(self, known: MutableMapping[Hashable, AnyWatch]) -> None:
        self._known = known
        self._beginnings: dict[Hashable, asyncio.Task[None]] = {}

    async def see_to(self, key: Hashable, begin: Callable[[], Awaitable[object]]) -> None:
        """Return once the watch of `key` goes on; what hinders its beginning is raised."""
        watch = self._known.get(key)
        if watch is not None and watch.watch_task is not None and not watch.watch_task.done():
            return
        beginning = self._beginnings.get(key)
        if beginning is None or beginning.done():
            beginning = self._beginnings[key] = asyncio.ensure_future(self._begin(key, begin))
        await asyncio.shield(beginning)  # the others wait on when one of them is cancelled

    async def _begin(self, key: Hashable, begin: Callable[[], Awaitable[object]]) -> None:
        earlier = self._known.get(key)
        try:
            await begin()
        except BaseException:
            # the new one has seen nothing, and all pods would be taken for gone
            if earlier is not None:
                self._known[key] = earlier
            raise
