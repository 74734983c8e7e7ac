"""Nodes on which a server found no room though its devices were free: not tried again at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labpool.cluster.pods import SeenPod

_FIRST_SECONDS, _LONGEST_SECONDS = 60.0, 3600.0
REASON = "No room was found for a server on its machine just now; it is tried again soon."


@dataclass(slots=True)
class _Refused:
    """A node that refused servers: until when it is left alone, for how long, and which servers were there before."""

    until: float
    pause: float
    there: frozenset[str]


class Trials:
    """The memory of it: each refusal in a row keeps a node free for twice as long, up to an hour. Times in seconds."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Refused] = {}

    def refused(self, node: str, servers: Iterable[SeenPod], now: float) -> None:
        """Note that a node had no room; `servers` are those that there are."""
        before = self._nodes.get(node)
        pause = min(2 * before.pause, _LONGEST_SECONDS) if before else _FIRST_SECONDS
        there = frozenset(pod.uid for pod in servers if pod.node == node)
        self._nodes[node] = _Refused(now + pause, pause, there)

    def kept_free(self, servers: Iterable[SeenPod], now: float) -> dict[str, str]:
        """Nodes on which nothing is to be granted now, each with the reason; one that took a server in is forgiven."""
        for pod in servers:
            if pod.node in self._nodes and pod.uid not in self._nodes[pod.node].there:
                del self._nodes[pod.node]
        return {node: REASON for node, refused in self._nodes.items() if now < refused.until}
