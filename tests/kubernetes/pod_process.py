"""One pod on a fake node: its process from the start to the end, and what the API server is told of it."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import DEVNULL, Process
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx

from tests.kubernetes.pod_command import CannotRun, PodCommand, command_of, pod_folder
from tests.kubernetes.pod_leftovers import end_leftovers
from tests.kubernetes.watching import persist

Manifest = dict[str, Any]
LOST = 137
"""The exit code of what was killed, as the shell writes it."""
CANNOT_START = 128
"""The exit code that container runtimes give to what can't be started."""


class PodProcess:
    """A pod in the runner's care, until it is taken away."""

    def __init__(self, api: httpx.AsyncClient, cluster: Path, pod: Manifest) -> None:
        self._api = api
        self._cluster = cluster
        self._pod = pod
        self._began = _now()
        self._ending = asyncio.Event()
        self._at_once = asyncio.Event()

    def end(self, grace: float) -> None:
        """End the process, with `grace` seconds between SIGTERM and SIGKILL, and take the pod away.

        Asked again, it ends when the first of them is over, as by a kubelet.
        """
        if grace <= 0:
            self._at_once.set()
        else:
            asyncio.get_running_loop().call_later(grace, self._at_once.set)
        self._ending.set()

    async def live(self) -> None:
        """Run the process if the pod is new, and stay until the pod is taken away."""
        phase = self._pod["status"].get("phase")
        if phase == "Pending":
            await self._run()
        elif phase == "Running" and self._names_command():
            await self._in_thread_end_leftovers()
            await self._tell_end(LOST, "RunnerRestarted", "The runner was started again and ended what was left.")
        await self._ending.wait()
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self._pod["metadata"]["uid"]}}
        await persist(self._api, "DELETE", self._path(), body)

    async def _run(self) -> None:
        try:
            command = command_of(self._pod, self._cluster)
            process = await self._begin(command)
        except (CannotRun, OSError) as problem:
            await self._tell_end(CANNOT_START, "StartError", str(problem))
            return
        await self._tell(self._status("Running", {"running": {"startedAt": self._began}}))
        if process is None:
            return
        await self._wait(process)
        await self._in_thread_end_leftovers()
        if not self._ending.is_set():
            code = process.returncode or 0
            code = code if code >= 0 else 128 - code
            await self._tell_end(code, "Error" if code else "Completed", "")

    async def _begin(self, command: PodCommand) -> Process | None:
        if not command.words or self._ending.is_set():
            return None
        with (pod_folder(self._cluster, self._pod) / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command.words,
                cwd=command.cwd,
                env=dict(command.environ),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _wait(self, process: Process) -> None:
        """Wait for the process, or end it when the pod is deleted."""
        ended = asyncio.ensure_future(process.wait())
        ending, at_once = asyncio.ensure_future(self._ending.wait()), asyncio.ensure_future(self._at_once.wait())
        await asyncio.wait({ended, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait({ended, at_once}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await ended
        ending.cancel()
        at_once.cancel()

    async def _in_thread_end_leftovers(self) -> None:
        await asyncio.to_thread(end_leftovers, pod_folder(self._cluster, self._pod))

    def _names_command(self) -> bool:
        container = self._pod["spec"]["containers"][0]
        return bool(container.get("command") or container.get("args"))

    async def _tell_end(self, code: int, reason: str, message: str) -> None:
        end = {"exitCode": code, "reason": reason, "message": message, "startedAt": self._began, "finishedAt": _now()}
        await self._tell(self._status("Failed" if code else "Succeeded", {"terminated": end}))

    async def _tell(self, status: Manifest) -> None:
        kind = "application/strategic-merge-patch+json"
        # The uid keeps this from a later pod of the same name.
        body = {"metadata": {"uid": self._pod["metadata"]["uid"]}, "status": status}
        await persist(self._api, "PATCH", f"{self._path()}/status", body, kind)

    def _status(self, phase: str, state: Manifest) -> Manifest:
        runs, now = phase == "Running", _now()
        containers = [
            {
                "name": each["name"],
                "image": each["image"],
                "imageID": "",
                "restartCount": 0,
                "ready": runs,
                "started": runs,
                "state": state,
            }
            for each in self._pod["spec"]["containers"]
        ]
        ready = {"status": "True" if runs else "False", "lastTransitionTime": now}
        conditions = [{"type": kind, **ready} for kind in ("Ready", "ContainersReady")]
        conditions.append({"type": "Initialized", "status": "True", "lastTransitionTime": now})
        return {
            "phase": phase,
            "startTime": self._began,
            "containerStatuses": containers,
            "conditions": conditions,
        }

    def _path(self) -> str:
        metadata = self._pod["metadata"]
        return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
