"""What a kubelet does for the pods of fake nodes: a real process for each, on an address of its own.

KWOK gives a pod its address, in this machine's loopback network. The runner starts the command of the pod's first
container there as a process of this machine, tells the API server that it runs, and how it ended; it ends the process
when the pod is deleted, and takes the pod away then. pod_command.py says what a process gets.

- A hub tells a server to listen on 0.0.0.0:8888, which two pods of one machine can't: the host in
  JUPYTERHUB_SERVICE_URL becomes the pod's own address.
- A container that ended isn't started again, whatever restartPolicy says: a killed process is a dead pod.
- A container without a command has no process, but runs all the same.
- Not played: init and further containers, images, probes, users, limits of memory and CPU.
- A runner that starts ends what an earlier one left, and tells that those pods have failed.

Runs as `python -m tests.kubernetes.pod_runner URL FOLDER`, and outlives restarts of the API server.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.kubernetes.claims import ClaimFolders
from tests.kubernetes.client import Administrator
from tests.kubernetes.pod_process import PodProcess
from tests.kubernetes.watching import follow

Manifest = dict[str, Any]
ON_NODES = {"fieldSelector": "spec.nodeName!="}
log = logging.getLogger("runner")


class Runner:
    """The pods of one cluster that are on a node."""

    def __init__(self, api: httpx.AsyncClient, folder: Path) -> None:
        self._api = api
        self._folder = folder
        self._pods: dict[str, PodProcess] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look after all pods, as long as the runner runs."""
        await follow(self._api, "/api/v1/pods", ON_NODES, self._look_at_all, self._look_at)

    def _look_at_all(self, pods: list[Manifest]) -> None:
        for uid in self._pods.keys() - {pod["metadata"]["uid"] for pod in pods}:
            self._pods[uid].end(0)
        for pod in pods:
            self._look_at("ADDED", pod)

    def _look_at(self, event: str, pod: Manifest) -> None:
        metadata = pod["metadata"]
        known = self._pods.get(metadata["uid"])
        if event == "DELETED":
            if known:
                known.end(0)
            return
        has_address = bool(pod["status"].get("podIP"))
        if known is None and (has_address or "deletionTimestamp" in metadata):
            known = self._take_on(pod)
        if known and "deletionTimestamp" in metadata:
            known.end(metadata.get("deletionGracePeriodSeconds", 30))

    def _take_on(self, pod: Manifest) -> PodProcess:
        uid = pod["metadata"]["uid"]
        process = self._pods[uid] = PodProcess(self._api, self._folder, pod)
        task = asyncio.ensure_future(process.live())
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._forget(uid, done))
        return process

    def _forget(self, uid: str, task: asyncio.Task[None]) -> None:
        self._pods.pop(uid, None)
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            log.error("pod %s was given up", uid, exc_info=task.exception())


async def main() -> None:
    """Look after the pods and claims of the cluster that the command line names."""
    url, folder = sys.argv[1], Path(sys.argv[2])
    logging.basicConfig(level=logging.WARNING)
    async with Administrator(url, folder / "pki").async_client() as api:
        await asyncio.gather(Runner(api, folder).run(), ClaimFolders(api, folder).provide())


if __name__ == "__main__":
    asyncio.run(main())
