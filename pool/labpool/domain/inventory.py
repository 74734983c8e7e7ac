"""What there is to lease: nodes and their devices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """One schedulable GPU or slice.

    `id` is unique in the pool and stable over restarts: the card's UUID where it is real. `product` is the maker's name
    of the card, empty where it is simulated.
    """

    id: str
    flavour: str
    node: str
    index: int = 0
    memory_gib: float = 0.0
    simulated: bool = False
    product: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that holds devices. CPU in cores, memory in GiB."""

    name: str
    cpu: float
    memory_gib: float


@dataclass(frozen=True, slots=True)
class Inventory:
    """All nodes and devices an engine found.

    `withheld` maps ids of devices that are there but not to be granted to the reason in words, such as a process
    without a lease that uses the card. What is leased keeps its lease.
    """

    nodes: tuple[Node, ...] = ()
    devices: tuple[Device, ...] = ()
    withheld: tuple[tuple[str, str], ...] = ()

    def of_flavour(self, flavour: str) -> tuple[Device, ...]:
        """Devices of one flavour, withheld ones included, in a fixed order (node, index)."""
        return tuple(sorted((d for d in self.devices if d.flavour == flavour), key=lambda d: (d.node, d.index)))

    def most_on_one_node(self, flavour: str) -> int:
        """Largest number of devices of `flavour` that a single node holds."""
        return max(_count_by_node(self.of_flavour(flavour)).values(), default=0)

    def on_node(self, node: str, flavour: str) -> int:
        """Number of devices of `flavour` that a node holds."""
        return sum(device.node == node and device.flavour == flavour for device in self.devices)

    @property
    def simulated(self) -> bool:
        """Whether any device stands in for hardware that is not there."""
        return any(device.simulated for device in self.devices)


def _count_by_node(devices: Iterable[Device]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for device in devices:
        counts[device.node] = counts.get(device.node, 0) + 1
    return counts
