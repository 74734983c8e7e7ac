"""The nodes of a history, and how each stands."""

from __future__ import annotations

from datetime import datetime

from labpool.domain.inventory import LOST, Condition, Inventory, Node

from tests.domain.lab import MINUTE
from tests.domain.rules import DEVICES, NODES


class Machines:
    """Nodes in and out of service; each step chooses one of those that it can happen to by a number."""

    def __init__(self) -> None:
        self.nodes = {name: Node(name, 0, 0) for name in NODES}

    def inventory(self, withheld: tuple[tuple[str, str], ...]) -> Inventory:
        """What an engine would tell."""
        return Inventory(tuple(self.nodes.values()), DEVICES, withheld)

    def drain(self, number: int, now: datetime) -> None:
        """An admin takes a node out of service."""
        self._turn(number, now, Condition.DRAINED, Condition.SERVING)

    def undrain(self, number: int, now: datetime) -> None:
        """An admin puts one back."""
        self._turn(number, now, Condition.SERVING, Condition.DRAINED)

    def fail(self, number: int, other: int, now: datetime) -> None:
        """A node falls silent, or is known to have failed some time ago; a silent one may turn out to have failed."""
        if other % 3:
            to = (Condition.SILENT, Condition.FAILED)[other % 2]
            self._turn(number, now - other * MINUTE, to, Condition.SERVING, Condition.DRAINED)
        else:
            self._turn(number, now, Condition.FAILED, Condition.SILENT)

    def give_back(self, number: int, now: datetime) -> None:
        """A lost node serves again."""
        self._turn(number, now, Condition.SERVING, *LOST)

    def _turn(self, number: int, since: datetime, to: Condition, *before: Condition) -> None:
        names = [name for name, node in self.nodes.items() if node.condition in before]
        if names:
            known = self.nodes[names[number % len(names)]]
            still_lost = known.condition in LOST and to in LOST
            self.nodes[known.name] = Node(known.name, 0, 0, to, known.since if still_lost else since)
