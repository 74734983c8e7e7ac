"""Labs over either engine for clusters, of which nothing may be left in the cluster when they end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.kube_lab import HUB, servers_namespace
from tests.kubernetes.queues import Queues
from tests.real_hub import wait_until
from tests.running_lab import RunningLab, running_lab


@contextmanager
def lab_that_leaves_nothing(
    cluster: Cluster, namespace: str, rules: str, people: Sequence[str], folder: Path
) -> Iterator[RunningLab]:
    """A lab in a new namespace; who uses it has to give all back, and then there is no pod and no Workload any more.

    Args:
        cluster: Where its servers run.
        namespace: Its own, which is also what its cohort is called.
        rules: Its pool.yaml.
        people: Whom its hub knows, beside an admin who has signed in.
        folder: An empty one.
    """
    environ = {"KUBECONFIG": str(cluster.kubeconfig)}
    hub = HUB.format(namespace=namespace)
    with servers_namespace(cluster, namespace):
        with running_lab(folder / "lab", pool_yaml=rules, hub_config=hub, environ=environ) as lab:
            lab.signed_in("admin")
            for user in people:
                assert lab.api("POST", f"/users/{user}").status_code in {201, 409}  # the demo's are there already
            yield lab
            wait_until(lambda: _left(cluster, namespace) == [], "the end of all pods and Workloads")
        assert _left(cluster, namespace) == []
        if json.loads(rules)["engine"] == "kueue":
            Queues(cluster, namespace, folder).remove()


def _left(cluster: Cluster, namespace: str) -> list[str]:
    return cluster.kubectl("get", "pods,workloads", f"--namespace={namespace}", "--output=name").split()
