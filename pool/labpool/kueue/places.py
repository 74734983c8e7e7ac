"""The places of those who wait, as Kueue tells them: asked for when a line has changed, and now and then."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from labpool.cluster import ClusterApi, ClusterRefused, ClusterUnavailable
from labpool.cluster.answers import make_sure
from labpool.kueue.workloads import Workload

_VISIBILITY = "visibility.kueue.x-k8s.io/v1beta2"
_MOST_PENDING = 1000
_AGAIN_SECONDS = 30.0
"""Between two times that an unchanged line is asked for: what Kueue itself plans ahead is not seen in Workloads."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Told:
    """What Kueue told of a queue, when, and what stood there by then; `refusal` says why it tells nothing."""

    line: Hashable
    at: float
    places: Mapping[str, int] = field(default_factory=dict)
    refusal: str | None = None


class Places:
    """Those in the LocalQueues of a namespace, by the names of Workloads, from 1.

    Args:
        api: The API server.
        namespace: Where servers run.
    """

    def __init__(self, api: ClusterApi, namespace: str) -> None:
        self._api, self._path = api, f"/apis/{_VISIBILITY}/namespaces/{namespace}/localqueues"
        self._told: dict[str, _Told] = {}

    @property
    def of(self) -> dict[str, int]:
        """Where Kueue doesn't tell, the order of its lines is known all the same, but for what it plans ahead."""
        return {name: place for told in self._told.values() for name, place in told.places.items()}

    @property
    def refusal(self) -> str | None:
        """Why Kueue tells us nothing, in words; None where it does, or only doesn't at the moment."""
        return next((told.refusal for told in self._told.values() if told.refusal), None)

    async def ask(self, workloads: Iterable[Workload], pool: str) -> None:
        """Ask for the lines in which a pool's Workloads wait; `workloads` are all of the namespace."""
        lines: defaultdict[str, list[Workload]] = defaultdict(list)
        ours = set[str]()
        for each in workloads:
            if each.pending:
                lines[each.queue].append(each)
                ours |= {each.queue} if each.pool == pool else set()
        told = await asyncio.gather(*(self._told_of(queue, lines[queue]) for queue in sorted(ours)))
        self._told = dict(zip(sorted(ours), told, strict=True))

    async def _told_of(self, queue: str, waiting: Iterable[Workload]) -> _Told:
        active = [each for each in waiting if each.active]
        line = frozenset((each.name, each.uid, each.rank, *_requeued(each)) for each in active)
        known, now = self._told.get(queue), time.monotonic()
        if known is not None and known.line == line and now < known.at + _AGAIN_SECONDS:
            return known
        try:
            places = await self._places_of(queue)
        except ClusterRefused as error:
            return _Told(line, now, refusal=str(error))
        except ClusterUnavailable as error:
            _LOG.debug("Kueue doesn't tell places: %s", error)
            return _Told(line, now)
        if places is None:
            return _Told(line, now)
        is_whole = places.keys() == {each.name for each in active} or len(places) >= _MOST_PENDING
        # Kueue's own memory is sometimes a moment behind, or ahead of what we have seen
        return _Told(line if is_whole else None, now, places)

    async def _places_of(self, queue: str) -> dict[str, int] | None:
        """What Kueue tells; None where it shows none, or has no such queue yet."""
        path = f"{self._path}/{queue}/pendingworkloads"
        status, answer = await self._api.ask("GET", path, {"limit": str(_MOST_PENDING)})
        if status == HTTPStatus.NOT_FOUND:
            return None
        make_sure(status, answer, "read the places of those who wait")
        return _places_in(answer)


def _requeued(workload: Workload) -> Iterable[str]:
    """What else Kueue orders a line by: when somebody was evicted, and came back."""
    return (said.since for kind in ("Evicted", "Requeued") if (said := workload.says(kind)) is not None)


def _places_in(answer: Mapping[str, object]) -> dict[str, int]:
    items = answer.get("items")
    found: dict[str, int] = {}
    for item in items if isinstance(items, list) else []:
        metadata, position = item.get("metadata") or {}, item.get("positionInLocalQueue")
        if isinstance(position, int):
            found[str(metadata.get("name"))] = position + 1
    return found
