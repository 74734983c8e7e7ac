"""The lab that benchmarks and the pictures of the docs play: one machine of 64 GPUs, and six projects in it."""

from __future__ import annotations

from collections.abc import Mapping

from labpool.domain.catalogue import Catalogue, Flavour, Limits, Project, QueueRules, UserLimit
from labpool.domain.inventory import Device, Inventory

DEVICES = 64
NOMINAL = {"a": 5, "b": 5, "c": 9, "d": 9, "e": 18, "f": 18}
WEIGHTS = {"a": 1.0, "b": 1.0, "c": 2.0, "d": 2.0, "e": 4.0, "f": 4.0}


def rules(nominal: Mapping[str, int], queue: QueueRules | None = None) -> Catalogue:
    """Projects with these GPUs that may borrow all that is free, and no limit that binds anybody."""
    projects = {name: _project(name, own) for name, own in nominal.items()}
    limit = UserLimit(gpus=10 * DEVICES, servers=10 * DEVICES, queued=1_000_000)
    return Catalogue({"gpu": Flavour("gpu", "GPU")}, {}, projects, Limits(limit), queue or QueueRules())


def _project(name: str, own: int) -> Project:
    borrow, weight = {"gpu": DEVICES - own}, WEIGHTS.get(name)
    return Project(name, name, everyone=True, nominal={"gpu": own}, borrow=borrow, weight=weight)


def devices() -> Inventory:
    """One big machine."""
    return Inventory((), tuple(Device(f"d{i:02}", "gpu", "pool", i) for i in range(DEVICES)))
