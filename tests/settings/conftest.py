from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from labpool.settings import InvalidPoolFile, PoolFile, load_pool_file

DEMO = Path(__file__).parents[2] / "hub_config" / "pool.yaml"

SMALL = """\
flavours:
  gpu: {title: A GPU}
simulated: {nodes: [{name: here, cpu: 8, memory_gib: 32, devices: {gpu: 4}}]}
profiles:
  cpu: {title: CPU only, cpu: 2, memory_gib: 4, max_hours: 12}
  one: {title: One GPU, flavour: gpu, gpus: 1, cpu: 2, memory_gib: 4, max_hours: 8}
projects:
  vision:
    title: Vision
    members: {groups: [vision]}
    nominal: {gpu: 2}
    profiles: [cpu, one]
"""

Load = Callable[[str | bytes], PoolFile]
Refused = Callable[[str | bytes], list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_text(text: str | bytes) -> PoolFile:
        path = tmp_path / "pool.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_pool_file(path)

    return load_text


@pytest.fixture
def refused(load: Load) -> Refused:
    """The lines of the message that a file is refused with."""

    def lines(text: str | bytes) -> list[str]:
        with pytest.raises(InvalidPoolFile) as caught:
            load(text)
        return str(caught.value).splitlines()

    return lines
