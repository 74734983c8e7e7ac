"""A lab of the engine kueue: its hub and pool, and what Kueue has of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from labpool.api_models import TicketView

from tests.kubernetes.planned_lab import Manifest, PlannedLab
from tests.kubernetes.queues import Queues
from tests.real_hub import wait_until
from tests.running_lab import RunningLab


@dataclass
class KueueLab:
    """The lab, and what Kueue has of it."""

    lab: RunningLab
    kube: PlannedLab
    queues: Queues

    def ask(self, user: str, gpus: int = 8, name: str = "", project: str = "vision") -> None:
        """Start a server, or wait for its turn."""
        answer = self.lab.start_server(user, {"project": project, "profile": f"gpu-{gpus}", "hours": 2}, name)
        assert answer.status_code in {201, 202, 503}, answer.text

    def start(self, user: str, gpus: int = 8, name: str = "", project: str = "vision") -> str:
        """The same, and wait until it is up; returns its ticket."""
        self.ask(user, gpus, name, project)
        self.lab.wait_ready(user, name)
        return self.ticket(user, name).id

    def ticket(self, user: str, name: str = "") -> TicketView:
        """A server's open ticket."""
        return self.kube.ticket(user, name)

    def stands(self, user: str, name: str, place: int) -> bool:
        """Whether it has that place in its project's line."""
        return self.ticket(user, name).place == place

    def why(self, user: str, name: str = "") -> str:
        """Why it waits; empty where it doesn't."""
        wait = self.ticket(user, name).wait
        return wait.reason if wait else ""

    def workloads(self) -> dict[str, Manifest]:
        """All there are, by name."""
        return self.kube.workloads()


def next_second() -> None:
    """Let the next Workload be later: their places are counted by whole seconds."""
    began = int(time.time())
    wait_until(lambda: int(time.time()) > began, "the next second")
