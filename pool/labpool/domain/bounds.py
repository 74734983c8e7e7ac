"""What a need has to stay below: timelines of what is taken, each with the room that there is for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labpool.domain.bookings import Layer
from labpool.domain.guarantees import Guarantees
from labpool.domain.needs import Key, Need, flavour_key, node_key
from labpool.domain.timeline import Timeline

Bound = tuple[Timeline, int]
"""A timeline, and how much may be taken on it already."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds by the hardware there is, the caps, and what others keep; without `kept` all but the last."""

    room: Mapping[Key, int]
    guarantees: Guarantees

    def on_node(self, need: Need, node: str, layer: Layer, kept: bool = True) -> list[Bound]:
        """What counts on `node`, its devices first; of CPU and memory that nobody has told there is enough."""
        bounds = [
            (layer[key], self.room.get(key, 0) - amount)
            for key, amount in need.on(node)
            if key in self.room or key[0] == "node"
        ]
        if not kept:
            return bounds
        here, everywhere = node_key(node, need.flavour), flavour_key(need.flavour)
        things = [here, everywhere] if self.guarantees.differs_by_node(need.project, everywhere) else [here]
        return bounds + [each for thing in things for each in self.of_kept(need, node, thing, layer)]

    def anywhere(self, need: Need, layer: Layer, kept: bool = True) -> list[Bound]:
        """What counts on every node alike."""
        caps, everywhere = [(layer[cap.key], cap.most - cap.amount) for cap in need.caps], flavour_key(need.flavour)
        if not kept or self.guarantees.differs_by_node(need.project, everywhere):
            return caps
        return caps + self.of_kept(need, "", everywhere, layer)

    def of_kept(self, need: Need, node: str, thing: Key, layer: Layer) -> list[Bound]:
        """The bound by what others keep of a thing, for who would take some of it on a node; none where nobody does."""
        track = self.guarantees.seen_by(need.project, node, thing, layer)
        return [(track, self.room.get(thing, 0) - need.gpus)] if track else []
