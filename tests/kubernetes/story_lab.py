"""A lab for stories of people on a cluster with either engine, and what Kueue has of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labpool.api_models import TicketView

from tests.clearing import clear
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fake_nodes import FLAVOUR_LABEL, GPU
from tests.kubernetes.kube_lab import pool_yaml_of, profiles_of, two_projects
from tests.kubernetes.namespaces import SAFE
from tests.kubernetes.planned_lab import Manifest, PlannedLab, running_planned_lab
from tests.kubernetes.pods import pod
from tests.kubernetes.queues import Queues
from tests.real_hub import wait_until

PRODUCT, GPUS = "A-CARD-OF-STORIES", 8
RECONCILE_SECONDS = 0.5
QUEUE = {
    "shortest_minutes": 0.001,
    "restart_minutes": 1,
    "turnover_minutes": 0,
    "end_grace_minutes": 0.02,
    "grace_minutes": 0.25,
    "wait_before_taking_minutes": 0.01,
    "borrow_min_minutes": 0.001,
    "reconcile_seconds": RECONCILE_SECONDS,
}


def rules(engine: str, **queue: object) -> str:
    """Eight GPUs of one machine for two projects that lend each other their four, and four for one person."""
    profiles = profiles_of("card", (1, 4, 8))
    sections: dict[str, Any] = {
        "flavours": {"card": {"title": "Card", "gpu_memory_gib": 80, "node_labels": {FLAVOUR_LABEL: PRODUCT}}},
        "limits": {"user": {"gpus": 4, "servers": 10, "queued": 30}},
        "profiles": profiles,
        "projects": two_projects(nominal={"card": 4}, borrow={"card": 4}, profiles=list(profiles)),
        "queue": {**QUEUE, **queue},
    }
    return pool_yaml_of(engine, namespace_of(engine), **sections)


def namespace_of(engine: str) -> str:
    return f"stories-{engine}"


@dataclass
class StoryLab(PlannedLab):
    """The lab of one engine, and Kueue's part of it, which only the engine kueue has."""

    engine: str
    queues: Queues

    def gpus_of_pods(self) -> int:
        """How many all pods of researchers have together."""
        limits = (each["spec"]["containers"][0]["resources"].get("limits", {}) for each in self.pods())
        return sum(int(each.get(GPU, 0)) for each in limits)

    def running(self, user: str, options: object) -> TicketView:
        """A user's server that runs and was used, started at once or when Kueue had admitted it."""
        answer = self.lab.start_server(user, options)
        assert answer.status_code in {201, 202, 503}, answer.text
        return self.until_used(user)

    def foreign(self, name: str, gpus: int = 0, **metadata: object) -> Manifest:
        """Somebody else's pod in the servers' namespace."""
        made = pod(name, self.namespace, ["sleep", "600"], gpus, securityContext=SAFE)
        made["metadata"] |= metadata
        return made

    def everything_is_free(self) -> None:
        """Wait until Kueue knows of nothing, and all GPUs are free."""
        wait_until(lambda: self.workloads() == {}, "the end of all Workloads")
        wait_until(lambda: self.pool().flavours[0].free == GPUS, "all GPUs free", 60)


@contextmanager
def running_story_lab(engine: str, cluster: Cluster, folder: Path) -> Iterator[StoryLab]:
    """A lab on a machine of its own; afterwards nothing of it is left, its queues neither."""
    namespace = namespace_of(engine)
    (node,) = cluster.nodes.add(1, GPUS, product=PRODUCT, prefix="story")
    queues = Queues(cluster, namespace, folder)
    with running_planned_lab(cluster, folder / "lab", namespace, rules(engine)) as started:
        for user in ("ada", "bert", "olga"):
            started.lab.signed_in(user)
        yield StoryLab(started.lab, cluster, namespace, engine, queues)
        clear(started.lab)
        if engine == "kueue":
            started.lab.stop()  # or it would make the queues again
            queues.remove()
    cluster.nodes.remove(node)
