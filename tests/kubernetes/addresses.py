"""A slice of the loopback network for a cluster's pods, which no other cluster on this machine has."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass

_SECOND_NUMBERS = range(64, 255)
"""Of 127.x.0.0/16; the lower ones are left to who writes an address by hand."""


@dataclass(frozen=True)
class PodNetwork:
    """A network that is ours while `held` is open."""

    cidr: str
    held: socket.socket

    def release(self) -> None:
        """Let others have it."""
        self.held.close()


def claim_network() -> PodNetwork:
    """Claim a network that is free on this machine.

    The claim is a name among Linux's abstract sockets: like the loopback network itself it belongs to the network
    namespace, it is exclusive, and it goes with the process that holds it.
    """
    for number in random.sample(_SECOND_NUMBERS, len(_SECOND_NUMBERS)):
        held = socket.socket(socket.AF_UNIX)
        try:
            held.bind(f"\0labpool-test-cluster-127.{number}")
        except OSError:
            held.close()
            continue
        return PodNetwork(f"127.{number}.0.1/16", held)
    raise RuntimeError(f"all {len(_SECOND_NUMBERS)} loopback networks are taken by test clusters that still run")
