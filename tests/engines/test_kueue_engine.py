"""What the engine kueue tells its line of the nodes that it follows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

from labpool.cluster import ClusterApi
from labpool.engines.kueue import KueueEngine
from labpool.settings import load_pool_file

from tests.engines.test_kubernetes_engine import POOL_YAML, ClusterInMemory, node


async def test_line_knows_nodes_whose_host_name_is_another_than_their_name(tmp_path: Path) -> None:
    (tmp_path / "pool.yaml").write_text(POOL_YAML)
    file, cluster = load_pool_file(tmp_path / "pool.yaml"), ClusterInMemory()
    cluster.nodes = [node("n1"), node("n2.example.edu")]
    for each in cluster.nodes:
        each["metadata"]["labels"]["kubernetes.io/hostname"] = each["metadata"]["name"].partition(".")[0]
    engine = KueueEngine(cast(ClusterApi, cluster), lambda: file, "the-pool")
    engine._nodes.begin()
    await asyncio.wait_for(engine._nodes.listed(), 10)
    assert engine._machines() == {"n2": "n2.example.edu"}
    await engine.close()
