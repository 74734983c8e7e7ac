"""The section `simulated` of pool.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from labpool.settings.section import Section
from labpool.settings.values import Cores, Gibibytes, HostName, Slug


class SimulatedNodeSection(Section):
    """A machine that is not there."""

    name: HostName = Field(description="Its name, different from the others'.", examples=["demo"])
    cpu: Cores = Field(description="CPU cores.", examples=[16])
    memory_gib: Gibibytes = Field(description="Memory in GiB.", examples=[64])
    devices: dict[Slug, Annotated[int, Field(ge=0, le=64, examples=[4])]] = Field(
        description="How many devices of each flavour.", examples=[{"demo-gpu": 4}]
    )


class SimulatedSection(Section):
    """Stand-ins for GPUs, used only where none is found and said so everywhere."""

    nodes: list[SimulatedNodeSection] = Field([], max_length=100, description="Machines.")
