"""What an admin said of machines and GPUs: drained ones take nothing new, fenced ones run nothing any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from labpool.domain.inventory import Condition, Inventory, Node


class Act(str, Enum):
    """What an admin says of a machine."""

    DRAIN = "drain"
    """Nothing new starts there; what is leased runs to its end."""
    FENCE = "fence"
    """It is silent, and nothing of before runs on it any more: its leases are lost for good."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A machine, or one `device` of it, taken out of service by an admin: who, when and why.

    It ends at `until`, or where that is None when an admin says so. A fence ends by itself once its machine is no
    longer silent.
    """

    id: str
    act: Act
    node: str
    device: str
    why: str
    made_by: str
    made_at: datetime
    until: datetime | None = None

    @property
    def what(self) -> str:
        """What is out of service, in words."""
        return f"GPU {self.device} of {self.node}" if self.device else f"machine {self.node}"

    def is_over(self, inventory: Inventory, now: datetime) -> bool:
        """Whether its end has come, with the devices there are now."""
        if self.until is not None and self.until <= now:
            return True
        return self.act is Act.FENCE and not any(self._fences(node) for node in inventory.nodes)

    def _fences(self, node: Node) -> bool:
        """Whether the node is silent, and was before the admin looked: a later silence is another one."""
        silent = node.name == self.node and node.condition is Condition.SILENT
        return silent and (node.since is None or node.since <= self.made_at)


def with_withdrawals(inventory: Inventory, withdrawals: Iterable[Withdrawal], now: datetime) -> Inventory:
    """The inventory as an engine found it, with what admins said of it and is not over."""
    standing = [each for each in withdrawals if not each.is_over(inventory, now)]
    if not standing:
        return inventory
    whole = {(each.node, each.act): each for each in standing if not each.device}
    nodes = tuple(_with_acts(node, whole) for node in inventory.nodes)
    withheld = dict(inventory.withheld)
    withheld |= {each.device: f"An admin takes it out of service: {each.why}" for each in standing if each.device}
    return replace(inventory, nodes=nodes, withheld=tuple(withheld.items()))


def _with_acts(node: Node, acts: dict[tuple[str, Act], Withdrawal]) -> Node:
    fence, drain = acts.get((node.name, Act.FENCE)), acts.get((node.name, Act.DRAIN))
    if fence is not None and node.condition is Condition.SILENT:
        return replace(node, condition=Condition.FAILED, since=node.since or fence.made_at, why=fence.why)
    if drain is not None and node.condition is Condition.SERVING:
        return replace(node, condition=Condition.DRAINED, since=drain.made_at, why=drain.why, until=drain.until)
    return node
