"""The pool's servers as pods: which there are, and ending them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import datetime

from labpool.cluster import ClusterApi, ClusterRefused, ClusterUnavailable, Followed, Kind, NodeOffer
from labpool.cluster.pods import POOL_LABEL, UNENDED, SeenPod, pod_of

_log = logging.getLogger("labpool.engines")

_KILL_SECONDS = 15.0
_AT_ONCE = 1
"""Grace in seconds of a pod that is killed. With none, the cluster forgets a pod before its node has ended it."""
_TIME_TO_START = 1.0
"""Seconds after which a new pod is worth a look: before that its server can't be up, and the hub is busy with it."""


class ServerPods:
    """Pods of one pool in one namespace.

    Those on a node that isn't heard of are left out: what the cluster says of them is what it last knew.

    Args:
        api: The API server.
        namespace: Where servers run.
        pool_id: Tells this pool's from another's.
        nodes: The cluster's nodes.
        changed: Called after each change: a moment later where there only is a new pod, or one has found its node.
    """

    def __init__(
        self,
        api: ClusterApi,
        namespace: str,
        pool_id: str,
        nodes: Followed[NodeOffer],
        changed: Callable[[], None],
    ) -> None:
        self._api, self._nodes, self._tell = api, nodes, changed
        self._known: tuple[str | None, frozenset[object]] = (None, frozenset())
        self._soon: asyncio.TimerHandle | None = None
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        ours = ("labelSelector", f"{POOL_LABEL}={pool_id}")
        self.followed = Followed(api, Kind("servers", self._path, pod_of, (ours, *UNENDED)), self._seen)

    def by_ticket(self) -> dict[str, tuple[str, ...]]:
        """Ticket id to the names of its pods."""
        found: dict[str, tuple[str, ...]] = {}
        for pod in self._with_tickets():
            if self._is_in_sight(pod):
                found[pod.ticket] = (*found.get(pod.ticket, ()), pod.name)
        return found

    def unplaced(self) -> dict[str, datetime]:
        """Tickets whose pod finds no room, each since when; none that has another pod which found some."""
        pods = self._with_tickets()
        placed = {pod.ticket for pod in pods if pod.node}
        waiting = ((pod.ticket, pod.unplaced_since) for pod in pods if pod.ticket not in placed)
        return {ticket: since for ticket, since in waiting if since is not None}

    async def terminate(self, ticket: str) -> tuple[str, ...]:
        """Let the pods of a ticket end within the grace that each was made with. Returns those that were asked."""
        return await self._delete(ticket, None)

    async def kill(self, ticket: str) -> tuple[str, ...]:
        """End the pods of a ticket and wait until they are gone, up to 15 s. Returns those in sight that won't go."""
        await self._delete(ticket, _AT_ONCE)
        await self.followed.until(lambda: not self._in_sight(ticket), _KILL_SECONDS)
        left = self._in_sight(ticket)
        if left:
            _log.warning("pods of a ticket don't go: %s", ", ".join(left), extra={"ticket": ticket})
        return left

    async def forget(self, ticket: str) -> None:
        """Let the cluster forget a ticket's pods that are out of sight; their node ends them when it is back."""
        await self._delete(ticket, 0, out_of_sight=True)

    async def _delete(self, ticket: str, grace: int | None, out_of_sight: bool = False) -> tuple[str, ...]:
        asked = []
        for pod in [pod for pod in self._with_tickets() if pod.ticket == ticket]:
            if out_of_sight and self._is_in_sight(pod):
                continue
            # nothing of a node that is gone can say that a pod has ended
            seconds = 0 if pod.node and self._node_of(pod) is None else grace
            options: dict[str, object] = {"preconditions": {"uid": pod.uid}}  # never the next one of its name
            options |= {} if seconds is None else {"gracePeriodSeconds": seconds}
            try:
                if await self._api.delete(f"{self._path}/{pod.name}", f"end pod {pod.name}", options=options):
                    asked.append(pod.name)
            except (ClusterUnavailable, ClusterRefused) as error:
                _log.warning("a server could not be ended: %s", error, extra={"ticket": ticket})
        return tuple(asked)

    def _seen(self) -> None:
        (trouble, pods), pods_now = self._known, {(each.uid, each.unplaced_since) for each in self._all()}
        self._known = (self.followed.trouble, frozenset(pods_now))
        if trouble != self.followed.trouble or not pods <= pods_now:
            self._tell()
        elif self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(_TIME_TO_START, self._tell_of_new)

    def _tell_of_new(self) -> None:
        self._soon = None
        self._tell()

    def _in_sight(self, ticket: str) -> tuple[str, ...]:
        return tuple(pod.name for pod in self._with_tickets() if pod.ticket == ticket and self._is_in_sight(pod))

    def _with_tickets(self) -> list[SeenPod]:
        return [pod for pod in self._all() if pod.ticket]

    def _all(self) -> Collection[SeenPod]:
        return self.followed.objects.values()

    def _is_in_sight(self, pod: SeenPod) -> bool:
        node = self._node_of(pod)
        return not pod.node or (node is not None and node.heard)

    def _node_of(self, pod: SeenPod) -> NodeOffer | None:
        return self._nodes.objects.get(("", pod.node))
