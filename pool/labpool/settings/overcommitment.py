"""Whether the projects' own devices are there at all."""

from __future__ import annotations

from collections.abc import Iterator

from labpool.domain.inventory import Inventory
from labpool.settings.findings import Finding, dotted
from labpool.settings.pool_file import PoolFile


def overcommitted_findings(pool_file: PoolFile, inventory: Inventory) -> tuple[Finding, ...]:
    """A warning for each flavour of which the projects' nominal devices sum to more than `inventory` has."""
    return tuple(
        finding for flavour in pool_file.catalogue.flavours for finding in _finding(pool_file, inventory, flavour)
    )


def _finding(pool_file: PoolFile, inventory: Inventory, flavour: str) -> Iterator[Finding]:
    projects = pool_file.catalogue.projects.values()
    own = {project.name: project.nominal[flavour] for project in projects if project.nominal.get(flavour)}
    there = len(inventory.of_flavour(flavour))
    if sum(own.values()) > there:
        key = ("projects", list(own)[-1], "nominal", flavour)
        shares = ", ".join(f"{count} for {name}" for name, count in own.items())
        problem = f"nominal sums to {sum(own.values())} of {flavour} ({shares}), and there are {there}"
        remedy = "Lower one of them; until then nobody can count on having their own."
        yield Finding(pool_file.path.name, pool_file.lines[key], dotted(key), problem, remedy)
