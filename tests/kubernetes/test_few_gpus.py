"""Five people, each asking again as soon as a server is over, and four GPUs: all get their turns, and nothing hangs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.crowd import GPUS, PEOPLE, Crowd, pool_yaml
from tests.kubernetes.kube_lab import HUB, servers_namespace
from tests.kubernetes.queues import Queues
from tests.real_hub import wait_until
from tests.running_lab import RunningLab, running_lab

pytestmark = [pytest.mark.kubernetes, pytest.mark.hub]


@contextmanager
def lab_of(cluster: Cluster, engine: str, folder: Path) -> Iterator[RunningLab]:
    """A lab with this engine, and nothing of it left in the cluster afterwards."""
    namespace = f"few-{engine}"
    rules = pool_yaml(engine, namespace)
    environ = {"KUBECONFIG": str(cluster.kubeconfig)}
    with servers_namespace(cluster, namespace):
        hub = HUB.format(namespace=namespace)
        with running_lab(folder / "lab", pool_yaml=rules, hub_config=hub, environ=environ) as lab:
            lab.signed_in("admin")
            for user in PEOPLE:
                lab.api("POST", f"/users/{user}").raise_for_status()
            yield lab
        pods = json.loads(cluster.kubectl("get", "pods", f"--namespace={namespace}", "--output=json"))["items"]
        assert pods == []
        if engine == "kueue":
            left = cluster.kubectl("get", "workloads", f"--namespace={namespace}", "--output=name")
            assert left.strip() == ""
            queues = Queues(cluster, namespace, folder)
            queues.write({})
            wait_until(lambda: queues.run("--force").exit_code == 0, "the end of the queues")


@pytest.mark.parametrize(
    ("engine", "minutes", "seconds"),
    [
        ("kueue", 2, (5, 10)),
        pytest.param("kubernetes", 2, (5, 10), marks=pytest.mark.soak),
        pytest.param("kueue", 15, (30, 90), marks=pytest.mark.soak),
        pytest.param("kubernetes", 15, (30, 90), marks=pytest.mark.soak),
    ],
)
def test_five_people_share_four_gpus_for_hours_on_end(
    cluster: Cluster, tmp_path: Path, engine: str, minutes: float, seconds: tuple[float, float]
):
    with lab_of(cluster, engine, tmp_path) as lab:
        crowd = Crowd(lab, seconds)
        until = time.monotonic() + 60 * minutes

        def goes_on() -> bool:
            return time.monotonic() < until or len(crowd.ended) < 30

        with ThreadPoolExecutor(len(PEOPLE) + 1) as threads:
            watching = threads.submit(crowd.watch, goes_on)
            busy = [threads.submit(crowd.person, user, goes_on) for user in PEOPLE]
            for each in [*busy, watching]:
                each.result()
        wait_until(lambda: not any(lab.servers(user) for user in PEOPLE), "the end of all servers")
    reasons = {ticket.end_reason for ticket in crowd.ended}
    assert reasons == {"time_limit"}, [(t.user, t.end_reason, t.end_message) for t in crowd.ended]
    assert len(crowd.ended) >= 30
    assert {ticket.user for ticket in crowd.ended} == set(PEOPLE)
    assert crowd.most_leased == GPUS
    assert len(crowd.started) >= 0.9 * len(crowd.ended), "servers that were never up within their hours"
    assert not [line for line in lab.log("hub").splitlines() if "failed to start" in line or "TimeoutError" in line]
