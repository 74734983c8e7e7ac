"""Waiting for a pod to come up, no longer than it makes sense, and saying in words why it didn't."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from logging import Logger

from aiohttp import ClientError
from kubernetes_asyncio.client.rest import ApiException

from gpuspawner.hub_errors import NotStarted
from gpuspawner.pod_events import TAKEN_AWAY, Words, end_in_words, in_words, refusal_in_words
from gpuspawner.pod_fields import notebook_end

_LOOK_SECONDS = 1.0
_SPARE_SECONDS = 5.0
_GONE_SECONDS = 5.0
_NO_ANSWER = (ClientError, OSError, asyncio.TimeoutError)


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod and the events about it since its start, as the API tells them; an empty pod where there is none yet."""

    pod: Mapping[str, object]
    events: Sequence[Mapping[str, object]]

    @property
    def words(self) -> list[Words]:
        """All that there is to say to a researcher, the newest last."""
        told = [words_of(event) for event in self.events]
        return [words for words in (*told, end_in_words(self.pod)) if words]

    @property
    def said(self) -> str:
        """The cluster's own words, for admins: the pod itself is soon gone."""
        own = [f"{event.get('reason')}: {event.get('message')}" for event in self.events]
        return "; ".join([*own, str(dict(notebook_end(self.pod) or {}))])


def words_of(event: Mapping[str, object]) -> Words | None:
    """Words for an event as the API tells it."""
    return in_words(str(event.get("reason") or ""), str(event.get("message") or ""))


def uid_of(pod: Mapping[str, object]) -> str:
    """What tells a pod from an earlier one of its name; "" for none."""
    metadata = pod.get("metadata")
    return str(metadata.get("uid") or "") if isinstance(metadata, Mapping) else ""


def patience(start_timeout: float) -> float:
    """How many seconds a start may take, so that its words come before the hub's own timeout."""
    return max(start_timeout - _SPARE_SECONDS, start_timeout / 2)


async def come_up(starting: asyncio.Future[str], see: Callable[[], SeenPod], seconds: float, log: Logger) -> str:
    """The address of the pod that `starting` makes. It is cancelled once it is in vain, or after `seconds`.

    Raises:
        NotStarted: the cluster refused it or doesn't answer, the pod failed, or it took too long.
    """
    trouble = asyncio.ensure_future(_trouble(see))
    try:
        await asyncio.wait({starting, trouble}, timeout=max(seconds, 0.0), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            return starting.result()
        if trouble.done():
            log.warning("a pod failed; the cluster says: %s", see().said)
            raise NotStarted(503, "pod_failed", trouble.result())
    except ApiException as error:
        log.warning("the cluster refused a pod or a home: %s", error)
        raise NotStarted(503, "cluster_refused", refusal_in_words(error.status or 0, str(error.body))) from error
    except _NO_ANSWER as error:
        log.warning("the cluster gave no answer: %r", error)
        raise NotStarted(503, "cluster_unavailable", refusal_in_words(0, "")) from error
    finally:
        for task in (starting, trouble):
            task.cancel()
    log.warning("a pod was not ready in time; the cluster says: %s", see().said)
    said = see().words
    last = said[-1].sentence if said else "Nothing was heard of it. Tell a lab admin."
    raise NotStarted(503, "not_ready_in_time", f"Your server was not ready in time. {last}")


async def _trouble(see: Callable[[], SeenPod]) -> str:
    """Return once it is known that waiting is in vain, with the reason in words."""
    clock = asyncio.get_running_loop().time
    last_there: float | None = None
    while True:
        seen = see()
        for words in seen.words:
            if words.in_vain:
                return words.sentence
        if seen.pod:
            last_there = clock()
        elif last_there is not None and clock() - last_there > _GONE_SECONDS:
            return TAKEN_AWAY.sentence
        await asyncio.sleep(_LOOK_SECONDS)
