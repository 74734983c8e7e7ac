"""What people see of devices and machines with which something is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from labpool.api_models import DeviceTroubleView, NodeTroubleView
from labpool.domain.inventory import Condition, Inventory
from labpool.domain.sentences import condition_sentence
from labpool.engines import Trespasser


def withheld(inventory: Inventory) -> tuple[DeviceTroubleView, ...]:
    """Devices that are not given out though their machine serves."""
    flavours = {device.id: device.flavour for device in inventory.devices}
    return tuple(
        DeviceTroubleView(device=device, flavour=flavours.get(device, ""), reason=reason)
        for device, reason in inventory.withheld
    )


def out_of_service(inventory: Inventory) -> tuple[NodeTroubleView, ...]:
    """Machines on which nothing new starts."""
    return tuple(
        NodeTroubleView(
            node=node.name,
            condition=node.condition.value,
            since=node.since,
            devices=sum(device.node == node.name for device in inventory.devices),
            reason=condition_sentence(node.condition),
        )
        for node in inventory.nodes
        if node.condition is not Condition.SERVING
    )


def machine_trouble(inventory: Inventory, devices: Iterable[str]) -> str:
    """What is wrong with the machine of some devices, in words; empty where it serves."""
    node = inventory.node_of(devices)
    return "" if node is None or node.condition is Condition.SERVING else condition_sentence(node.condition)


def trespassed(inventory: Inventory, trespassers: Iterable[Trespasser]) -> tuple[DeviceTroubleView, ...]:
    """Devices that others use beside their holders."""
    flavours = {device.id: device.flavour for device in inventory.devices}
    return tuple(
        DeviceTroubleView(device=each.device, flavour=flavours.get(each.device, ""), reason=_trespass(each))
        for each in sorted(trespassers, key=lambda each: (each.device, each.pid))
    )


def _trespass(seen: Trespasser) -> str:
    return f"A program ({seen.program}, process {seen.pid} of {seen.owner}) uses this GPU beside its holder."
