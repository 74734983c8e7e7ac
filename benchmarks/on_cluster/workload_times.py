"""When does Kueue hear of a release, and when has it chosen the next one? Seen from outside, by a watch of our own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labpool.kueue.workloads import TICKET

from tests.kubernetes.client import Administrator
from tests.kubernetes.watching import follow

Manifest = dict[str, Any]


class WorkloadTimes:
    """Seconds of `time.time` at which a ticket's Workload was first seen as something."""

    def __init__(self) -> None:
        self.finished: dict[str, float] = {}
        self.admitted: dict[str, float] = {}

    @contextmanager
    def followed(self, administrator: Administrator, namespace: str) -> Iterator[None]:
        """Look in a thread of its own until the block ends."""
        over = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._follow(administrator, namespace, over)))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(30)

    async def _follow(self, administrator: Administrator, namespace: str, over: threading.Event) -> None:
        path = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{namespace}/workloads"
        async with administrator.async_client() as api:
            following = asyncio.ensure_future(follow(api, path, {}, self._look_at_all, self._look_at))
            while not over.is_set():
                await asyncio.sleep(0.2)
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following

    def _look_at_all(self, workloads: list[Manifest]) -> None:
        for each in workloads:
            self._look_at("ADDED", each)

    def _look_at(self, event: str, workload: Manifest) -> None:
        now, ticket = time.time(), workload["metadata"].get("labels", {}).get(TICKET, "")
        conditions = workload.get("status", {}).get("conditions", [])
        true = {each["type"] for each in conditions if each["status"] == "True"}
        if event == "DELETED" or "Finished" in true:
            self.finished.setdefault(ticket, now)
        elif "Admitted" in true:
            self.admitted.setdefault(ticket, now)
