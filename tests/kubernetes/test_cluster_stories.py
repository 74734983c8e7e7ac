"""Stories of people on a cluster, with either engine: a real hub and pool outside it, and servers that are pods."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from labpool.api_models import TicketView

from tests.clearing import clear
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fake_nodes import FLAVOUR_LABEL
from tests.kubernetes.kube_lab import pool_yaml_of
from tests.kubernetes.planned_lab import Manifest, PlannedLab, running_planned_lab, ticket_of
from tests.kubernetes.pods import SAFE, pod
from tests.kubernetes.queues import Queues
from tests.real_hub import wait_until

pytestmark = [pytest.mark.kubernetes, pytest.mark.hub]

PRODUCT, GPUS = "A-CARD-OF-STORIES", 8
GPU_1 = {"project": "vision", "profile": "gpu-1", "hours": 2}
QUEUE = {
    "shortest_minutes": 0.001,
    "restart_minutes": 1,
    "turnover_minutes": 0,
    "end_grace_minutes": 0.02,
    "grace_minutes": 0.15,
    "wait_before_taking_minutes": 0.01,
    "borrow_min_minutes": 0.001,
    "reconcile_seconds": 0.5,
}


def rules(engine: str, **queue: object) -> str:
    """Eight GPUs of one machine for two projects that lend each other their four, and four for one person."""
    sizes = (1, 4, 8)
    project = {"nominal": {"card": 4}, "borrow": {"card": 4}, "profiles": [f"gpu-{size}" for size in sizes]}
    sections: dict[str, Any] = {
        "flavours": {"card": {"title": "Card", "gpu_memory_gib": 80, "node_labels": {FLAVOUR_LABEL: PRODUCT}}},
        "limits": {"user": {"gpus": 4, "servers": 10, "queued": 30}},
        "profiles": {
            f"gpu-{size}": {
                "title": f"{size} GPUs",
                "flavour": "card",
                "gpus": size,
                "cpu": 1,
                "memory_gib": 1,
                "max_hours": 8,
            }
            for size in sizes
        },
        "projects": {
            "vision": {"title": "Vision group", "members": {"groups": ["vision", "vision-owners"]}, **project},
            "speech": {"title": "Speech group", "members": {"groups": ["speech"]}, **project},
        },
        "queue": {**QUEUE, **queue},
    }
    return pool_yaml_of(engine, namespace_of(engine), **sections)


def namespace_of(engine: str) -> str:
    return f"stories-{engine}"


@dataclass
class Stories(PlannedLab):
    """The lab of one engine, and Kueue's part of it, which only the engine kueue has."""

    engine: str
    queues: Queues

    def workloads(self) -> dict[str, Manifest]:
        """All there are, by name."""
        answer = self.cluster.kubectl("get", "workloads", f"--namespace={self.namespace}", "--output=json")
        return {each["metadata"]["name"]: each for each in json.loads(answer)["items"]}


@pytest.fixture(scope="module")
def engine_lab(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stories]:
    """One lab for all stories of an engine, on a machine of its own."""
    engine: str = request.param
    namespace, folder = namespace_of(engine), tmp_path_factory.mktemp("lab")
    (node,) = cluster.nodes.add(1, GPUS, product=PRODUCT, prefix="story")
    queues = Queues(cluster, namespace, tmp_path_factory.mktemp("queues"))
    with running_planned_lab(cluster, folder, namespace, rules(engine)) as started:
        for user in ("ada", "bert", "olga"):
            started.lab.signed_in(user)
        yield Stories(started.lab, cluster, namespace, engine, queues)
        clear(started.lab)
        if engine == "kueue":
            started.lab.stop()  # or it would make the queues again
            queues.write({})
            wait_until(lambda: queues.run("--force").exit_code == 0, "the end of the queues")
    cluster.nodes.remove(node)


@pytest.fixture
def stories(engine_lab: Stories) -> Iterator[Stories]:
    """The engine's lab; afterwards nothing runs, nobody waits, and Kueue knows of nothing."""
    yield engine_lab
    clear(engine_lab.lab)
    wait_until(lambda: engine_lab.workloads() == {}, "the end of all Workloads")
    wait_until(lambda: engine_lab.pool().flavours[0].free == GPUS, "all GPUs free", 60)


with_kueue = pytest.mark.parametrize("engine_lab", ["kueue"], indirect=True)


def running(stories: Stories, user: str, options: object) -> TicketView:
    """A user's server that runs and was used; whether at once or after a turn that Kueue gave is one to the story."""
    stories.ask(user, options)
    return stories.until_used(user)


@with_kueue
def test_server_that_died_starts_again_within_the_restart_time_with_its_lease_and_workload(stories: Stories):
    before = running(stories, "ada", GPU_1)
    name, died = f"ticket-{before.id}", stories.pod_of(before)["metadata"]["uid"]
    uid = stories.queues.workload(name)["metadata"]["uid"]
    (process,) = stories.lab.labs()
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: not stories.lab.is_active("ada"), "the hub's notice of the death")
    assert stories.ticket("ada").lease == before.lease
    assert stories.queues.has(name, "Admitted")

    again = running(stories, "ada", GPU_1)
    assert (again.id, again.attempt, again.lease) == (before.id, before.attempt, before.lease)
    assert stories.pod_of(again)["metadata"]["uid"] != died
    (workload,) = stories.workloads().values()
    assert (workload["metadata"]["name"], workload["metadata"]["uid"]) == (name, uid)
    assert stories.queues.has(name, "Admitted")


@with_kueue
def test_lease_without_a_pod_ends_after_the_restart_time_and_its_workload_too(stories: Stories):
    ticket = running(stories, "ada", GPU_1)
    stories.lab.write_pool_yaml(rules(stories.engine, restart_minutes=0.05))
    try:
        name = stories.pod_of(ticket)["metadata"]["name"]
        stories.cluster.kubectl("delete", "pod", name, f"--namespace={stories.namespace}", "--grace-period=1")
        stories.ended(ticket, "lost")
    finally:
        stories.lab.write_pool_yaml(rules(stories.engine))
    wait_until(lambda: stories.workloads() == {}, "the end of its Workload")
    wait_until(lambda: not stories.lab.is_active("ada"), "the hub's notice")


@with_kueue
def test_pod_without_a_lease_is_ended_and_no_other(stories: Stories):
    leased = running(stories, "ada", GPU_1)
    ours = {"labels": {"labpool/pool": stories.lab.place.pool_id}, "annotations": {"labpool/ticket": "of-nobody"}}
    stories.cluster.apply([foreign(stories, "stray", **ours), foreign(stories, "bystander")])
    wait_until(lambda: "of-nobody" not in map(ticket_of, stories.pods()), "the end of the stray pod")
    names = {each["metadata"]["name"] for each in stories.pods()}
    assert names == {"bystander", stories.pod_of(leased)["metadata"]["name"]}
    stories.cluster.kubectl("delete", "pod", "bystander", f"--namespace={stories.namespace}", "--grace-period=1")
    assert stories.lab.is_ready("ada")


def foreign(stories: Stories, name: str, gpus: int = 0, **metadata: object) -> Manifest:
    """Somebody else's pod in the servers' namespace."""
    made = pod(name, stories.namespace, ["sleep", "600"], gpus, securityContext=SAFE)
    made["metadata"] |= metadata
    return made
