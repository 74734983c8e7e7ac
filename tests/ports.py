"""Ports for the parts that a test starts."""

from __future__ import annotations

import os
import random
import socket
from collections import deque

_RANDOM = random.Random()  # of its own: a test that seeds the global one must not choose the ports of others
_PORTS = range(10_000, 32_768)
"""Below those that Linux gives to connections and to servers that ask for any port, so that none is taken meanwhile."""
_given: deque[int] = deque(maxlen=1000)
"""Somebody may still be about to listen on these."""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now or was given lately, in a slice that is this worker's alone."""
    workers, worker = (
        int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
        os.environ.get("PYTEST_XDIST_WORKER", "gw0"),
    )
    own = _PORTS[int(worker.removeprefix("gw")) :: workers]
    free: list[int] = []
    while len(free) < count:
        port = _RANDOM.choice(own)
        if port not in _given and _is_free(port):
            free.append(port)
            _given.append(port)
    return free


def _is_free(port: int) -> bool:
    with socket.socket() as each:
        try:
            each.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
