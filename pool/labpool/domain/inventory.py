"""What there is to lease: nodes and their devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


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


class Condition(str, Enum):
    """How a node stands. Only on one that serves is anything granted or planned."""

    SERVING = "serving"
    """In service: its devices may be granted."""
    DRAINED = "drained"
    """An admin takes it out of service: nothing new starts there, and what is leased runs to its end."""
    FAILED = "failed"
    """It is known to be down: its devices are lost, and whatever ran on them."""
    SILENT = "silent"
    """Nothing is heard of it: its devices are lost until it serves again, or is known to be down."""


LOST = frozenset({Condition.FAILED, Condition.SILENT})


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that holds devices. CPU in cores, memory in GiB; of both, `…_taken` is what others use at the moment.

    `since` is when its condition began; None where nobody knows. `why` is what an admin said
    of it, `until` when that is over by itself.
    """

    name: str
    cpu: float
    memory_gib: float
    condition: Condition = Condition.SERVING
    since: datetime | None = None
    why: str = ""
    until: datetime | None = None
    cpu_taken: float = 0.0
    memory_gib_taken: float = 0.0


@dataclass(frozen=True, slots=True)
class Inventory:
    """All nodes and devices an engine found.

    `withheld` maps ids of devices that are there but not to be granted to the reason in words, such as a process
    without a lease that uses the card. What is leased keeps its lease. A device of a node that is not told is as one of
    a node that serves.
    """

    nodes: tuple[Node, ...] = ()
    devices: tuple[Device, ...] = ()
    withheld: tuple[tuple[str, str], ...] = ()
    _of_flavour: Mapping[str, tuple[Device, ...]] = field(init=False, repr=False, compare=False)
    _machines: Mapping[str, str] = field(init=False, repr=False, compare=False)
    _lost: Mapping[str, Node] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Put the devices in order once: requests ask for those of a flavour, and looks for those of each lease."""
        ordered = sorted(self.devices, key=lambda device: (device.node, device.index))
        names = {device.flavour for device in ordered}
        of_flavour = {name: tuple(each for each in ordered if each.flavour == name) for name in names}
        gone = {node.name: node for node in self.nodes if node.condition in LOST}
        lost = {device.id: gone[device.node] for device in self.devices if device.node in gone} if gone else {}
        object.__setattr__(self, "_of_flavour", of_flavour)  # the class is frozen
        object.__setattr__(self, "_machines", {device.id: device.node for device in self.devices})
        object.__setattr__(self, "_lost", lost)

    def of_flavour(self, flavour: str) -> tuple[Device, ...]:
        """Devices of one flavour, withheld ones included, in a fixed order (node, index)."""
        return self._of_flavour.get(flavour, ())

    def by_node(self, flavour: str) -> Mapping[str, int]:
        """Number of devices of `flavour` that each node holds which has any."""
        return Counter(device.node for device in self.of_flavour(flavour))

    def most_on_one_node(self, flavour: str) -> int:
        """Largest number of devices of `flavour` that a single node holds."""
        return max(self.by_node(flavour).values(), default=0)

    def on_node(self, node: str, flavour: str) -> int:
        """Number of devices of `flavour` that a node holds."""
        return sum(device.node == node for device in self.of_flavour(flavour))

    @property
    def out_of_use(self) -> frozenset[str]:
        """Ids of devices that may not be granted: those withheld, and all of a node that does not serve."""
        nodes = {node.name for node in self.nodes if node.condition is not Condition.SERVING}
        on_them = (device.id for device in self.devices if device.node in nodes) if nodes else ()
        return frozenset({*on_them, *(device for device, _ in self.withheld)})

    @property
    def lost(self) -> Mapping[str, Node]:
        """Devices that are lost with their node, by id: nobody holds them, whatever a lease says."""
        return self._lost

    def lost_node(self, devices: Iterable[str]) -> Node | None:
        """The node that devices of one node are lost with; None where they are not."""
        return next((self._lost[device] for device in devices if device in self._lost), None)

    def node_of(self, devices: Iterable[str]) -> Node | None:
        """The node of some devices, which are all on one; None where it is not told."""
        names = self.machines_of(devices)
        return next((node for node in self.nodes if node.name in names), None)

    def machines_of(self, devices: Iterable[str]) -> frozenset[str]:
        """Names of the nodes that hold some devices; those that are not told are on none."""
        return frozenset(self._machines[device] for device in devices if device in self._machines)

    @property
    def simulated(self) -> bool:
        """Whether any device stands in for hardware that is not there."""
        return any(device.simulated for device in self.devices)
