"""What one start needs of its pod, worked out from options, lease and pool.yaml before Kubernetes is asked.

A plan belongs to one start and is thrown away with it, so nothing of an earlier one can stay on the spawner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labpool.api_models import LeaseToApply
from labpool.settings import LEAST_CPU, LEAST_MEMORY_GIB, PoolFile, Toleration

from gpuspawner.environment import Surroundings, server_environment
from gpuspawner.folders import UserFolders
from gpuspawner.options import ServerOptions
from gpuspawner.pod_folders import RUNTIME, Mount, PodStorage, mounts_of
from gpuspawner.pod_left_out import NO_CARD
from gpuspawner.pod_run import annotations_of

LOGS = Path("/logs")


@dataclass(frozen=True, slots=True)
class Started:
    """Who starts what, with which lease; none for a CPU profile."""

    user: str
    options: ServerOptions
    lease: LeaseToApply | None = None


@dataclass(frozen=True, slots=True)
class Devices:
    """So many of an extended resource on one node, and how a pod gets there."""

    resource: str
    count: int
    node: str
    node_labels: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


@dataclass(frozen=True, slots=True)
class PodPlan:
    """All that a start decides about its pod. CPU in cores, sizes in GiB, `grace` from SIGTERM to SIGKILL in seconds.

    An empty `image` stands for the hub's. `device_taints` are those that only pods with devices tolerate.
    """

    image: str
    pull_secrets: tuple[str, ...]
    cpu: float
    memory_gib: float
    ephemeral_gib: float
    devices: Devices | None
    device_taints: frozenset[Toleration]
    mounts: tuple[Mount, ...]
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    grace: int
    home: str


def plan_pod(started: Started, file: PoolFile, storage: PodStorage, pool_url: str, pool_id: str) -> PodPlan:
    """The plan of a start.

    Raises:
        ValueError: the user's name can't be a folder's.
    """
    options, lease, cluster = started.options, started.lease, file.cluster
    profile, pod = file.catalogue.profiles.get(options.profile), cluster.profile(options.profile)
    chosen = lease or profile
    # of a profile that the pool has removed while its lease waited nothing is known but its devices
    cpu = max(chosen.cpu if chosen else 0.0, LEAST_CPU)
    memory = max(chosen.memory_gib if chosen else 0.0, LEAST_MEMORY_GIB)
    shared_memory = memory / 4 if pod.shared_memory_gib is None else min(pod.shared_memory_gib, memory)
    folders = UserFolders(Path(storage.home), LOGS, Path(RUNTIME))
    around = Surroundings(pool_url, pool_id, folders)
    return PodPlan(
        image=pod.image,
        pull_secrets=pod.pull_secrets,
        cpu=cpu,
        memory_gib=memory,
        ephemeral_gib=pod.ephemeral_gib,
        devices=_devices(lease, file),
        device_taints=cluster.device_taints,
        mounts=mounts_of(started.user, options.project, storage, cluster.datasets_of(options.project), shared_memory),
        environment={
            **_without_missing_folders(server_environment(options, profile, lease, around), storage),
            **_about_pod(folders.home, pod.image, cpu, memory),
            **_about_cards(lease, file),
        },
        labels={"labpool/project": options.project, **({"labpool/pool": pool_id} if pool_id else {})},
        annotations=annotations_of(options, lease),
        grace=grace_seconds(file),
        home=storage.home,
    )


def grace_seconds(file: PoolFile) -> int:
    """From SIGTERM to SIGKILL, time for a checkpoint: what the pool leaves before the end of a lease."""
    return max(math.ceil(file.catalogue.queue.end_grace.total_seconds()), 1)


def _devices(lease: LeaseToApply | None, file: PoolFile) -> Devices | None:
    if lease is None or not lease.devices:
        return None
    first = lease.devices[0]  # the others are on its node, and of its flavour
    offered = file.cluster.flavour(first.flavour)
    return Devices(offered.resource, len(lease.devices), first.node, offered.node_labels, offered.tolerations)


def _without_missing_folders(told: Mapping[str, str], storage: PodStorage) -> dict[str, str]:
    # without the variable, tfpresets writes runs into the current folder, and Lab shows no tile of TensorBoard
    return {name: value for name, value in told.items() if storage.logs_claim or name != "LABPOOL_LOGS"}


def _about_pod(home: Path, image: str, cpu: float, memory_gib: float) -> dict[str, str]:
    """What the hub would say of its own traits, which no start changes."""
    sizes = {"CPU_LIMIT": f"{cpu:g}", "CPU_GUARANTEE": f"{cpu:g}"}
    sizes |= dict.fromkeys(("MEM_LIMIT", "MEM_GUARANTEE"), str(round(memory_gib * 2**30)))
    return {
        "HOME": str(home),
        **sizes,
        **(dict.fromkeys(("JUPYTER_IMAGE", "JUPYTER_IMAGE_SPEC"), image) if image else {}),
    }


def _about_cards(lease: LeaseToApply | None, file: PoolFile) -> dict[str, str]:
    # the device plugin says which cards a pod sees; one without devices must see none, whatever its image asks for
    if lease is None or not lease.devices:
        return NO_CARD
    cap = file.cluster.flavour(lease.devices[0].flavour).memory_cap_gib
    return {"LABPOOL_GPU_MEMORY_GIB": f"{cap:g}"} if cap else {}
