"""The story's end on a cluster: a pod whose process is a real JupyterLab, opened through the hub, used, and killed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.clearing import clear
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fake_nodes import FLAVOUR_LABEL
from tests.kubernetes.kube_lab import pool_yaml_of
from tests.kubernetes.planned_lab import PlannedLab, running_planned_lab
from tests.lab_story.lab_server import OPENED, SLOW, LabServer
from tests.real_hub import wait_until

pytestmark = [pytest.mark.kubernetes, pytest.mark.hub]

NAMESPACE, PRODUCT = "real-lab", "A-CARD-FOR-LAB"
POOL = pool_yaml_of(
    "kubernetes",
    NAMESPACE,
    flavours={"card": {"title": "Card", "gpu_memory_gib": 16, "node_labels": {FLAVOUR_LABEL: PRODUCT}}},
    profiles={"gpu-1": {"title": "One GPU", "flavour": "card", "gpus": 1, "cpu": 1, "memory_gib": 1, "max_hours": 8}},
    projects={
        "vision": {
            "title": "Vision group",
            "members": {"groups": ["vision"]},
            "nominal": {"card": 2},
            "profiles": ["gpu-1"],
        }
    },
    queue={"reconcile_seconds": 0.5, "turnover_minutes": 0, "end_grace_minutes": 0.05},
)
PATIENT = f"""
c.GPUKubeSpawner.start_timeout = {SLOW:g}
c.GPUKubeSpawner.http_timeout = {SLOW:g}
"""


@pytest.fixture
def kube(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlannedLab]:
    """A lab whose servers are the JupyterLab that the demo starts."""
    (node,) = cluster.nodes.add(1, 2, product=PRODUCT, prefix="lab")
    folder = tmp_path_factory.mktemp("lab")
    with running_planned_lab(cluster, folder, NAMESPACE, POOL, more_config=PATIENT, server=()) as started:
        yield started
        clear(started.lab)
    cluster.nodes.remove(node)


def test_pod_is_a_real_jupyterlab_that_its_owner_uses_and_whose_death_the_hub_sees(kube: PlannedLab):
    browser = kube.lab.signed_in("ada")
    server = LabServer(kube.lab, "ada", kube.lab.token_for("ada"))
    server.start("vision", "gpu-1")
    ticket = kube.ticket("ada")
    assert kube.pod_of(ticket)["status"]["phase"] == "Running"
    assert ticket.state == "granted"

    assert "JupyterLab" in browser.open("/user/ada/lab").text
    wait_until(lambda: kube.ticket("ada").state == "running", "the server's word on its first use")
    kube.lab.signed_in("bert")
    other = {"Authorization": f"token {kube.lab.token_for('bert')}"}
    assert httpx.get(f"{server.url}lab", headers=OPENED | other, timeout=60, trust_env=False).status_code == 403
    with server.kernel() as kernel:
        told = kernel.run("import os; print(os.environ['LABPOOL_TICKET'], os.environ['HOME'])").split()
    assert told == [ticket.id, str(kube.cluster.folder / "claims" / NAMESPACE / "claim-ada")]

    for process in kube.lab.labs():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    wait_until(lambda: not kube.lab.is_active("ada"), "the hub's notice of the death", 60)
    assert "ended by itself" in kube.lab.log("hub")
    assert kube.ticket("ada").lease == ticket.lease
    kube.lab.steer(ticket, "end").raise_for_status()
