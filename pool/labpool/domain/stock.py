"""The hardware that may be granted: devices by flavour and node, CPU and memory, and who holds what of it now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from labpool.domain.needs import Key, flavour_key, node_key
from labpool.domain.world import World


class Stock:
    """The usable hardware of a world. `room` says how much there is of each thing that is counted."""

    def __init__(self, world: World) -> None:
        self.room: dict[Key, int] = {}
        self._all = {device.flavour: 0 for device in world.inventory.devices}
        self._nodes: dict[str, dict[str, list[str]]] = {}
        self._node_of: dict[str, str] = {}
        self._handed_out: set[str] = set()
        for flavour in self._all:
            self._all[flavour] = len(world.inventory.of_flavour(flavour))
            self._nodes[flavour] = world.usable_devices(flavour)
            self.room[flavour_key(flavour)] = sum(map(len, self._nodes[flavour].values()))
            for node, devices in self._nodes[flavour].items():
                self.room[node_key(node, flavour)] = len(devices)
                self._node_of.update(dict.fromkeys(devices, node))
        for machine in world.inventory.nodes:
            if machine.cpu and machine.memory_gib:
                self.room["cpu", machine.name] = max(round(1000 * (machine.cpu - machine.cpu_taken)), 0)
                self.room["memory", machine.name] = max(
                    round(1024 * (machine.memory_gib - machine.memory_gib_taken)), 0
                )

    def nodes_of(self, flavour: str) -> Mapping[str, list[str]]:
        """Devices of `flavour` that may be granted, by node."""
        return self._nodes.get(flavour, {})

    def nodes_of_each(self, devices: Iterable[str]) -> list[str]:
        """The node of each device that may be granted."""
        return [self._node_of[device] for device in devices if device in self._node_of]

    def on_node(self, node: str) -> list[tuple[Key, int]]:
        """All devices of a node that may be granted, by flavour."""
        return [(key, devices) for key, devices in self.room.items() if key[:2] == ("node", node)]

    def lacks(self, flavour: str) -> bool:
        """Whether there are devices of a flavour that may not be granted."""
        return self.room.get(flavour_key(flavour), 0) < self._all.get(flavour, 0)

    def unleased(self, flavour: str, node: str) -> list[str]:
        """Devices of a node that nobody holds, those of lower index first."""
        return [device for device in self.nodes_of(flavour).get(node, ()) if device not in self._handed_out]

    def hand_out(self, devices: Iterable[str]) -> None:
        """Note that somebody holds these."""
        self._handed_out.update(devices)

    def take_in(self, devices: Iterable[str]) -> None:
        """Note that nobody holds these any more."""
        self._handed_out.difference_update(devices)
