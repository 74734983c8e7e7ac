"""Following a kind of object: a list once, then each change, kept in memory for whoever wants to know."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic, Protocol, TypeVar

from labpool.cluster.answers import ClusterRefused, ClusterUnavailable

_log = logging.getLogger(__name__)
_Seen = TypeVar("_Seen")
_Object = Mapping[str, object]

_WATCH_SECONDS = 60.0
"""So long a watch goes on before it is begun anew where it ended: one that hangs is noticed soon after."""
_FIRST_WATCH_SECONDS = 1.0
"""So long the first one after a break: where nothing happens, only its end shows that the API server is back."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_AT_A_TIME = 100
_TROUBLE_SECONDS = 5.0
"""An API server that is only restarted is no trouble yet."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[_Seen]):
    """What is followed.

    Args:
        words: What people call these objects, as "nodes".
        path: Of all of them in the API, such as /api/v1/nodes.
        read: Takes what is of interest from an object as the API server gives it; None where it is of none.
        chosen: Selectors, by the names of the API's parameters. What they don't choose any more is gone here.
        unread: What to take for one that can't be read, and never could be.
    """

    words: str
    path: str
    read: Callable[[_Object], _Seen | None]
    chosen: tuple[tuple[str, str], ...] = ()
    unread: Callable[[_Object], _Seen | None] = lambda _: None


class Source(Protocol):
    """As much of `ClusterApi` as is needed to follow something."""

    async def list_as_of(self, path: str, chosen: Mapping[str, str]) -> tuple[list[_Object], str]:
        """All objects, and the version from which a watch goes on."""

    def watch(self, path: str, parameters: Mapping[str, str], seconds: float) -> AsyncIterator[_Object]:
        """What happens after that version."""


class _Forgotten(Exception):
    """The API server doesn't know any more what has happened since our version: all has to be listed anew."""


class Followed(Generic[_Seen]):
    """The objects of one kind, as they were a moment ago; for as long as `trouble` says, as they were last seen.

    Args:
        source: The API server.
        kind: What is followed.
        changed: Called after each change, also when trouble begins or is over.
    """

    def __init__(self, source: Source, kind: Kind[_Seen], changed: Callable[[], None] = lambda: None) -> None:
        self._source, self._kind, self._tell = source, kind, changed
        self._objects: dict[tuple[str, str], _Seen] = {}
        self._version = ""
        self._listed = asyncio.Event()
        self._lost_at: float | None = None
        self._pause = _FIRST_PAUSE
        self._trouble: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: set[asyncio.Event] = set()

    @property
    def objects(self) -> Mapping[tuple[str, str], _Seen]:
        """Those of interest, by namespace (empty where they have none) and name."""
        return self._objects

    @property
    def trouble(self) -> str | None:
        """What has kept us from seeing changes for some seconds, in words; None where nothing does."""
        return self._trouble

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition holds, which is looked at after each change, for so long at most; whether it does."""
        holds = asyncio.ensure_future(self._hold(condition))
        try:
            await asyncio.wait({holds}, timeout=seconds)
        finally:
            holds.cancel()
        return condition()

    def begin(self) -> None:
        """Follow from now on until `close`."""
        self._task = asyncio.create_task(self._follow())

    async def listed(self) -> None:
        """Return once all objects have been seen for the first time."""
        await self._listed.wait()

    async def close(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _hold(self, condition: Callable[[], bool]) -> None:
        changed = asyncio.Event()
        self._waiting.add(changed)
        try:
            while not condition():
                await changed.wait()
                changed.clear()
        finally:
            self._waiting.discard(changed)

    async def _follow(self) -> None:
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except _Forgotten:
                self._version = ""
            except (ClusterUnavailable, ClusterRefused) as error:
                self._lost(error)
            except Exception:  # whatever it is, we must not be blind from now on
                _log.exception("following the cluster's %s broke off; beginning anew", self._kind.words)
                self._version = ""
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    async def _list(self) -> None:
        items, version = await self._source.list_as_of(self._kind.path, dict(self._kind.chosen))
        found: dict[tuple[str, str], _Seen] = {}
        for number, item in enumerate(items):
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)  # whoever else has something to do does it now
            each = self._read(item)
            if each is not None:
                found[_named(item)] = each
        self._objects = found
        self._version = version
        self._listed.set()
        self._heard()
        self._changed()

    async def _watch(self) -> None:
        """Follow the changes after our version until the API server ends that, which is how it should end."""
        parameters = {**dict(self._kind.chosen), "resourceVersion": self._version, "allowWatchBookmarks": "true"}
        seconds = _WATCH_SECONDS if self._lost_at is None else _FIRST_WATCH_SECONDS
        async for event in self._source.watch(self._kind.path, parameters, seconds):
            self._take(event)
            self._heard()
        self._heard()

    def _take(self, event: _Object) -> None:
        what, item = event.get("type"), event.get("object")
        if not isinstance(item, Mapping):
            raise ClusterUnavailable(f"The API server broke off in the middle of what happens to {self._kind.words}.")
        if what == "ERROR":
            raise _no_longer_told(item)
        named, before = _named(item), self._objects.get(_named(item))
        seen = None if what in ("DELETED", "BOOKMARK") else self._read(item)
        self._version = _version(item) or self._version
        if what == "BOOKMARK" or seen == before:
            return
        if seen is None:
            del self._objects[named]
        else:
            self._objects[named] = seen
        self._changed()

    def _changed(self) -> None:
        for each in self._waiting:
            each.set()
        self._tell()

    def _read(self, item: _Object) -> _Seen | None:
        """What is of interest of an object; where that can't be read, what was before, for it is not gone."""
        try:
            return self._kind.read(item)
        except ValueError as error:
            # one object that nobody expected must not blind us for all others
            _log.warning("%s of the cluster's %s can't be read: %s", _named(item), self._kind.words, error)
            before = self._objects.get(_named(item))
            return before if before is not None else self._kind.unread(item)

    def _heard(self) -> None:
        self._lost_at, self._pause = None, _FIRST_PAUSE
        if self._trouble is not None:
            _log.info("we see the cluster's %s again", self._kind.words)
            self._trouble = None
            self._changed()

    def _lost(self, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        self._lost_at = now if self._lost_at is None else self._lost_at
        lasts = now - self._lost_at >= _TROUBLE_SECONDS or isinstance(error, ClusterRefused)
        if self._trouble is None and lasts:
            self._trouble = f"We don't see the cluster's {self._kind.words}: {error}"
            _log.warning("%s", self._trouble)
            self._changed()


def _no_longer_told(status: _Object) -> Exception:
    said = str(status.get("message", "")) or "it gives no reason"
    if status.get("code") == HTTPStatus.GONE:
        return _Forgotten(said)
    return ClusterUnavailable(f"The API server ended a watch: {said}")


def _named(item: _Object) -> tuple[str, str]:
    metadata = item.get("metadata")
    said = metadata if isinstance(metadata, Mapping) else {}
    return str(said.get("namespace") or ""), str(said.get("name") or "")


def _version(item: _Object) -> str:
    metadata = item.get("metadata")
    return str(metadata.get("resourceVersion") or "") if isinstance(metadata, Mapping) else ""
