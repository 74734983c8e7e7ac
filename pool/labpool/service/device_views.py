"""What people see of devices and machines with which something is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from labpool.api_models import DeviceTroubleView, DeviceView, NodeTroubleView
from labpool.domain.inventory import Condition, Device, Inventory
from labpool.domain.leases import Lease
from labpool.domain.sentences import condition_sentence
from labpool.engines import Trespasser
from labpool.service.desk import Desk
from labpool.store import Transaction


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
            until=node.until,
            devices=sum(device.node == node.name for device in inventory.devices),
            reason=f"{condition_sentence(node.condition)} {node.why}".rstrip(),
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
        for each in sorted(trespassers, key=lambda each: (each.device, each.pid or 0, each.program))
    )


def _trespass(seen: Trespasser) -> str:
    if seen.pid is None:
        return f"The pod {seen.program} in {seen.owner} takes this GPU from its holder."
    return f"A program ({seen.program}, process {seen.pid} of {seen.owner}) uses this GPU beside its holder."


async def devices_of(desk: Desk) -> list[DeviceView]:
    """All devices, each with its lease; for admins, who may see whose it is."""

    def read(view: Transaction) -> list[DeviceView]:
        inventory = desk.world(view).inventory
        holders = {device: lease for lease in view.live_leases() for device in lease.devices}
        ordered = sorted(inventory.devices, key=lambda device: (device.node, device.flavour, device.index))
        return [_device(device, inventory, holders.get(device.id)) for device in ordered]

    return await desk.view(read)


def _device(device: Device, inventory: Inventory, lease: Lease | None) -> DeviceView:
    node = inventory.node_of([device.id])
    return DeviceView(
        id=device.id,
        flavour=device.flavour,
        node=device.node,
        index=device.index,
        simulated=device.simulated,
        condition=(node.condition if node else Condition.SERVING).value,
        withheld=dict(inventory.withheld).get(device.id, ""),
        ticket=lease.ticket if lease else None,
        user=lease.user if lease else None,
        project=lease.project if lease else None,
        until=lease.ends if lease else None,
    )
