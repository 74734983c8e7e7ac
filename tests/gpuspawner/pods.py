"""Spawners whose pods are looked at, without a hub or a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gpuspawner.kubernetes import GPUKubeSpawner
from kubernetes_asyncio.client import ApiClient, Configuration
from labpool.api_models import LeasedDevice, LeaseToApply
from traitlets.config import Config

DIGEST = "sha256:" + "ab" * 32
POOL = f"""
flavours:
  a100: {{title: A100, gpu_memory_gib: 80, node_labels: {{nvidia.com/gpu.product: A100-80}}}}
  slice: {{title: A100 slice, gpu_memory_gib: 10, resource: nvidia.com/mig-1g.10gb}}
  quarter: {{title: A quarter of a T4, gpu_memory_gib: 4, shared: true, resource: nvidia.com/gpu.shared,
             tolerations: [{{key: shared-gpus, value: "yes", effect: NoExecute}}]}}
  tpu: {{title: TPU v5e, resource: google.com/tpu}}
profiles:
  cpu: {{title: CPU only, cpu: 2, memory_gib: 4, max_hours: 12}}
  whole: {{title: Two A100, flavour: a100, gpus: 2, cpu: 16, memory_gib: 128, max_hours: 8, shared_memory_gib: 16,
           ephemeral_gib: 40, image: "registry.example.org/lab/tf@{DIGEST}", pull_secrets: [lab-key]}}
  slice: {{title: A slice, flavour: slice, gpus: 1, cpu: 4, memory_gib: 16, max_hours: 8}}
  quarter: {{title: A quarter, flavour: quarter, gpus: 1, cpu: 2.5, memory_gib: 8, max_hours: 8}}
  tpu: {{title: Four TPUs, flavour: tpu, gpus: 4, cpu: 8, memory_gib: 32, max_hours: 8}}
projects:
  vision: {{title: Vision, members: {{everyone: true}}, profiles: [cpu, whole, slice, quarter, tpu],
            datasets: [digits, texts]}}
  speech: {{title: Speech, members: {{everyone: true}}, profiles: [cpu]}}
datasets:
  digits: {{title: Digits, path: digits/v2}}
  texts: {{title: Texts, path: texts}}
queue: {{end_grace_minutes: 2}}
"""
PROFILES = ("cpu", "whole", "slice", "quarter", "tpu")
NOW = datetime(2026, 3, 2, 10, tzinfo=timezone.utc)
_COUNT = {"whole": 2, "slice": 1, "quarter": 1, "tpu": 4}


@dataclass
class FakeUser:
    """As much of the hub's user as a spawner asks for before it starts anything."""

    name: str = "ada"
    id: int = 1
    url: str = "/user/ada/"
    admin: bool = False
    groups: list[object] = field(default_factory=list)
    spawners: Mapping[str, object] = field(default_factory=dict)


@dataclass
class Stored:
    """As much of the hub's row of a server as a start needs."""

    user_options: object = None
    server: None = None
    name: str = ""


def pod_spawner(
    folder: Path,
    user: str = "ada",
    pool: str = POOL,
    more: Config | None = None,
    server: str = "",
    **settings: object,
) -> GPUKubeSpawner:
    """A spawner with `settings` as the chart would make them, for the class that ours comes from, and `more`."""
    file = folder / "pool.yaml"
    if not file.exists():
        file.write_text(pool)
    ours = {"pool_file": str(file), "pool_id": "lab-1", "pool_url_in_pods": "http://proxy/services/pool"}
    config = Config({"KubeSpawner": {"namespace": "lab", **settings}, "GPUKubeSpawner": ours})
    config.merge(more or Config())
    return GPUKubeSpawner(_mock=True, config=config, user=FakeUser(user), orm_spawner=Stored(name=server))


def lease(profile: str, node: str = "node-1") -> LeaseToApply | None:
    """What the pool answers for a profile; it never hears of a CPU profile."""
    if profile not in _COUNT:
        return None
    flavour = {"whole": "a100"}.get(profile, profile)
    cpu = {"whole": 16, "slice": 4, "quarter": 2.5, "tpu": 8}[profile]
    memory = {"whole": 128, "slice": 16, "quarter": 8, "tpu": 32}[profile]
    devices = tuple(
        LeasedDevice(id=f"{node}/{i}", index=i, flavour=flavour, node=node, memory_gib=80, simulated=False)
        for i in range(_COUNT[profile])
    )
    return LeaseToApply(
        ticket=f"ticket-{profile}",
        ticket_token="ticket-token",
        project="vision",
        profile=profile,
        preset="single",
        precision="auto",
        xla="auto",
        cpu=cpu,
        memory_gib=memory,
        devices=devices,
        starts=NOW,
        ends=NOW.replace(hour=14),
    )


async def manifest(spawner: GPUKubeSpawner, profile: str, project: str = "vision") -> dict[str, Any]:
    """The pod for a profile, as it is sent to the cluster."""
    options = spawner.asking.parse({"project": project, "profile": profile, "hours": 4})
    spawner.plan(options, lease(profile))
    pod = await spawner.get_pod_manifest()
    sent: dict[str, Any] = ApiClient.sanitize_for_serialization(ApiClient(Configuration()), pod)
    return sent
