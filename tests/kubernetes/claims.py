"""A folder for each claim of storage, in place of a provisioner: a volume is made for what is asked for, at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from tests.kubernetes.pod_command import claim_folder
from tests.kubernetes.watching import follow, persist

Manifest = dict[str, Any]
STORAGE_CLASS: Manifest = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "folders", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "labpool.test/folders",
}
"""Where claims go that name no class; any access mode is given, ReadWriteMany too."""


class ClaimFolders:
    """The volumes of one cluster. Its files stay when a claim is deleted, and go with the cluster."""

    def __init__(self, api: httpx.AsyncClient, cluster: Path) -> None:
        self._api = api
        self._cluster = cluster
        self._tasks: set[asyncio.Task[None]] = set()

    async def provide(self) -> None:
        """Make volumes, as long as the runner runs."""
        await follow(self._api, "/api/v1/persistentvolumeclaims", {}, self._look_at_all, self._look_at)

    def _look_at_all(self, claims: list[Manifest]) -> None:
        for claim in claims:
            self._look_at("ADDED", claim)

    def _look_at(self, event: str, claim: Manifest) -> None:
        if event == "ADDED" and not claim["spec"].get("volumeName"):
            task = asyncio.ensure_future(persist(self._api, "POST", "/api/v1/persistentvolumes", self._volume(claim)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _volume(self, claim: Manifest) -> Manifest:
        metadata, asked = claim["metadata"], claim["spec"]
        folder = claim_folder(self._cluster, metadata["namespace"], metadata["name"])
        folder.mkdir(parents=True, exist_ok=True)
        owner = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        return {
            "metadata": {"name": f"folder-{metadata['uid']}"},
            "spec": {
                "capacity": asked["resources"]["requests"],
                "accessModes": asked["accessModes"],
                "storageClassName": asked.get("storageClassName", ""),
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": str(folder)},
                "claimRef": owner | {key: metadata[key] for key in ("namespace", "name", "uid")},
            },
        }
