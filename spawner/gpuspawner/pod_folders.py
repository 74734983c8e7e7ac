"""The folders of a server on Kubernetes: which part of which claim is mounted where. No other part is in its reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labpool.settings import Dataset, folder_name

RUNTIME = "/run/labpool"
_RUNTIME_GIB = 1 / 64  # it holds notice.json


@dataclass(frozen=True, slots=True)
class PodStorage:
    """Names of the claims, and where the home is mounted. Without a name nothing is mounted."""

    home: str
    home_claim: str
    projects_claim: str
    datasets_claim: str
    logs_claim: str


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder at `path`: the part `sub_path` of a claim, or without one an empty folder of `size_gib`."""

    volume: str
    path: str
    claim: str = ""
    sub_path: str = ""
    read_only: bool = False
    size_gib: float = 0.0
    in_memory: bool = False


def mounts_of(
    user: str, project: str, storage: PodStorage, datasets: Iterable[Dataset], shared_memory_gib: float
) -> tuple[Mount, ...]:
    """All folders of a user's server in a project.

    Raises:
        ValueError: the user's name can't be a folder's.
    """
    own_logs = f"{folder_name(user)}/{folder_name(project)}"
    mounts = (
        Mount("labpool-home", storage.home, storage.home_claim),
        Mount("labpool-projects", f"/projects/{project}", storage.projects_claim, folder_name(project)),
        Mount("labpool-logs", f"/logs/{project}", storage.logs_claim, own_logs),
        *(
            Mount("labpool-datasets", f"/datasets/{each.name}", storage.datasets_claim, each.path, read_only=True)
            for each in datasets
        ),
    )
    return (
        *(mount for mount in mounts if mount.claim),
        Mount("labpool-runtime", RUNTIME, size_gib=_RUNTIME_GIB),
        Mount("labpool-shm", "/dev/shm", size_gib=shared_memory_gib, in_memory=True),  # noqa: S108 (TensorFlow's workers)
    )
