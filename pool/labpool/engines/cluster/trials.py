"""Nodes on which a server found no room though its devices were free: not tried again at once.

What finds room on none of several nodes is to blame itself, a profile that asks for more than any has, say: it keeps
only the last of them from others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from labpool.cluster.pods import SeenPod

_FIRST_SECONDS, _LONGEST_SECONDS = 60.0, 3600.0
_SEVERAL = 3
REASON = "No room was found for a server on its machine just now; it is tried again soon."

Asks = frozenset[tuple[str, int]]
"""What a server asks for, by which those of one profile are known."""


def asks_of(pod: SeenPod) -> Asks:
    """What a pod asks for."""
    return frozenset(pod.takes.items())


@dataclass(frozen=True, slots=True)
class _Refused:
    """A node that refused servers: until when it is left alone, for how long, which were there before, and for whom."""

    until: float
    pause: float
    there: frozenset[str]
    asks: frozenset[Asks] = frozenset()


@dataclass(frozen=True, slots=True)
class _Tried:
    """Nodes that refused servers that ask alike, in a row, and which of those were placed before."""

    nodes: tuple[str, ...]
    placed: frozenset[str]


class Trials:
    """The memory of it: each refusal in a row keeps a node free for twice as long, up to an hour. Times in seconds."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Refused] = {}
        self._tried: dict[Asks, _Tried] = {}

    def refused(self, node: str, asks: Asks, servers: Iterable[SeenPod], now: float, nodes: int) -> None:
        """Note that a node, one of so many, had no room for what a server asks; `servers` are those that there are."""
        there = tuple(servers)
        before = self._nodes.get(node)
        pause = min(2 * before.pause, _LONGEST_SECONDS) if before else _FIRST_SECONDS
        since = frozenset(pod.uid for pod in there if pod.node == node)
        by = (before.asks if before and now < before.until else frozenset()) | {asks}
        self._nodes[node] = _Refused(now + pause, pause, since, by)
        if not asks:  # its pod was gone before it could be looked at
            return
        known = self._tried.get(asks) or _Tried((), frozenset(pod.uid for pod in there if pod.node))
        tried = tuple(dict.fromkeys((*known.nodes, node)))
        self._tried[asks] = replace(known, nodes=tried)
        if len(tried) >= max(min(_SEVERAL, nodes), 2):
            self._open(asks, (each for each in tried if each != node), now)

    def kept_free(self, servers: Iterable[SeenPod], now: float) -> dict[str, str]:
        """Nodes on which nothing is to be granted now, each with the reason; one that took a server in is forgiven."""
        for pod in servers:
            if pod.node in self._nodes and pod.uid not in self._nodes[pod.node].there:
                del self._nodes[pod.node]
            tried = self._tried.get(asks_of(pod)) if pod.node and self._tried else None
            if tried is not None and pod.uid not in tried.placed:
                del self._tried[asks_of(pod)]
        return {node: REASON for node, refused in self._nodes.items() if now < refused.until}

    def _open(self, asks: Asks, nodes: Iterable[str], now: float) -> None:
        """Let others have nodes that nobody else was refused by."""
        for node in nodes:
            refused = self._nodes.get(node)
            if refused is not None and refused.asks == {asks}:
                self._nodes[node] = replace(refused, until=now)
