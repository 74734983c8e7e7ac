"""The TensorBoards that run now: started when asked for, ended when idle, when there are too many, and with us."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from labpool_logs.gateway.child import TensorBoardChild
from labpool_logs.gateway.log_store import LogStore, Unsafe

_LOG = logging.getLogger(__name__)
_STARTS_AT_ONCE = 2


class UnsafeFolder(Exception):
    """A project's folder holds something that TensorBoard must not be shown."""

    def __init__(self, unsafe: Unsafe) -> None:
        super().__init__(f"{unsafe.path} is {unsafe.what}; expected folders and files that have one name")
        self.unsafe = unsafe


@dataclass(frozen=True, slots=True)
class Limits:
    """How many TensorBoards run, and for how long; times in seconds."""

    at_once: int
    idle_seconds: float
    start_seconds: float


@dataclass(slots=True)
class _Place:
    """Where one project's TensorBoard runs, or will run."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    child: TensorBoardChild | None = None


class TensorBoards:
    """Keeps one TensorBoard for each project that is looked at. Its log doesn't say whose: who looked when is private.

    Args:
        store: where the projects' folders are.
        prefix: path under which the proxy routes here, with both slashes.
        limits: how many, and for how long.
    """

    def __init__(self, store: LogStore, prefix: str, limits: Limits) -> None:
        self._store, self._prefix, self._limits = store, prefix, limits
        self._places: dict[tuple[str, str], _Place] = {}
        self._starts = asyncio.Semaphore(_STARTS_AT_ONCE)

    async def running(self, user: str, project: str, instead_of: TensorBoardChild | None = None) -> TensorBoardChild:
        """Return the project's TensorBoard, started first where it doesn't run (any more).

        Args:
            user: the owner's name, safe as a folder's name.
            project: the project's name, safe as a folder's name.
            instead_of: one that gave no answer, to be replaced.

        Raises:
            UnsafeFolder: the project's folder must not be shown.
            TensorBoardFailed: it ended or gave no answer while it started.
        """
        place = self._places.setdefault((user, project), _Place())
        async with place.lock:
            if place.child is not None and (place.child is instead_of or not place.child.is_running()):
                _LOG.warning("tensorboard crashed", extra={"project": project, "pid": place.child.pid})
                await self._end(place)
            if place.child is not None:
                return place.child
            child = place.child = await self._start(user, project)
            await self._end_surplus(keep=place)
            return child

    async def tidy(self) -> None:
        """End what nobody has used for long, and what shows a folder that is no longer safe."""
        for user, project in list(self._places):
            await self._tidy_one(user, project)

    async def _tidy_one(self, user: str, project: str) -> None:
        child = self._places[user, project].child
        try:
            if child is None:
                self._forget_unused(user, project)
            elif child.idle_seconds > self._limits.idle_seconds:
                await self._end_and_say(user, project, "idle")
            elif await asyncio.to_thread(self._store.unsafe, user, project):
                await self._end_and_say(user, project, "unsafe folder")
        except OSError as error:
            _LOG.error("looking after a tensorboard failed: %s", error.strerror, extra={"project": project})

    async def close(self) -> None:
        """End all."""
        await asyncio.gather(*(self._end(place) for place in self._places.values()))
        self._places.clear()

    async def _start(self, user: str, project: str) -> TensorBoardChild:
        unsafe = await asyncio.to_thread(self._store.unsafe, user, project)
        if unsafe is not None:
            raise UnsafeFolder(unsafe)
        async with self._starts:
            folder, path_prefix = self._store.project(user, project), f"{self._prefix}{user}/{project}"
            child = await TensorBoardChild.start(folder, path_prefix, self._limits.start_seconds)
        _LOG.info("tensorboard started", extra={"project": project, "pid": child.pid})
        return child

    async def _end_surplus(self, keep: _Place) -> None:
        """End the longest idle ones where too many run; never one in use, nor `keep`, which somebody waits for."""
        idle = {key: place.child.idle_seconds for key, place in self._places.items() if place.child is not None}
        dispensable = [key for key in idle if idle[key] > 0 and self._places[key] is not keep]
        longest_idle_first = sorted(dispensable, key=lambda key: idle[key], reverse=True)
        for user, project in longest_idle_first[: max(0, len(idle) - self._limits.at_once)]:
            await self._end_and_say(user, project, "too many at once")

    async def _end_and_say(self, user: str, project: str, why: str) -> None:
        place = self._places[user, project]
        pid = place.child.pid if place.child else None
        await self._end(place)
        _LOG.info("tensorboard ended", extra={"project": project, "pid": pid, "why": why})

    async def _end(self, place: _Place) -> None:
        child, place.child = place.child, None
        if child is not None:
            await child.end()

    def _forget_unused(self, user: str, project: str) -> None:
        if not self._places[user, project].lock.locked():
            del self._places[user, project]
