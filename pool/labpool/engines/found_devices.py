"""From cards to devices, and what this machine has beside them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from labpool.domain.inventory import Device, Node
from labpool.engines.nvml import Card
from labpool.settings import flavour_of_card

_KIB_PER_GIB = 2**20


def this_node() -> Node:
    """This machine: its name, the CPU cores this process may use, and its memory."""
    cores = len(os.sched_getaffinity(0))
    return Node(socket.gethostname(), float(cores), round(_memory_kib() / _KIB_PER_GIB, 1))


def devices_of(cards: Iterable[Card], patterns: Mapping[str, str]) -> tuple[Device, ...]:
    """A device for each card; one that is split into MIG slices is left out, for slices are not leased."""
    node = socket.gethostname()
    return tuple(
        Device(
            id=card.uuid,
            flavour=flavour_of_card(card.product, patterns),
            node=node,
            index=card.index,
            memory_gib=card.memory_gib,
            product=card.product,
        )
        for card in cards
        if not card.sliced
    )


def _memory_kib() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1])
    return 0
