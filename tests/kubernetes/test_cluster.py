"""The throw-away cluster itself: its nodes, Kueue in it, and nothing of it left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, cast

import pytest

from tests.kubernetes import control_plane, programs
from tests.kubernetes.cluster import Cluster, running_cluster
from tests.kubernetes.fake_nodes import FLAVOUR_LABEL, FOREIGN, GPU
from tests.kubernetes.pod_leftovers import processes_below
from tests.kubernetes.pods import Manifest, pod, run
from tests.kubernetes.processes import ProcessEnded
from tests.real_hub import REPOSITORY, wait_until

pytestmark = pytest.mark.kubernetes
LAST_WORDS = "Ctrl-C (or kill {}) ends it and removes all of it."
KUEUE = "kueue.x-k8s.io/v1beta2"


def quota(namespace: str) -> list[Manifest]:
    """A queue with 8 GPUs of one kind."""
    flavour = {"nodeLabels": {FLAVOUR_LABEL: "NVIDIA-A100-SXM4-80GB"}}
    gpus = {"name": "a100", "resources": [{"name": GPU, "nominalQuota": "8"}]}
    groups = [{"coveredResources": [GPU], "flavors": [gpus]}]
    queue = {"namespaceSelector": {}, "resourceGroups": groups}
    return [
        {"apiVersion": KUEUE, "kind": "ResourceFlavor", "metadata": {"name": "a100"}, "spec": flavour},
        {"apiVersion": KUEUE, "kind": "ClusterQueue", "metadata": {"name": namespace}, "spec": queue},
        {
            "apiVersion": KUEUE,
            "kind": "LocalQueue",
            "metadata": {"name": "lab", "namespace": namespace},
            "spec": {"clusterQueue": namespace},
        },
    ]


def workload(name: str, namespace: str, gpus: int) -> Manifest:
    container = {"name": "main", "image": "none", "resources": {"requests": {GPU: str(gpus)}}}
    template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    spec = {"queueName": "lab", "active": True, "podSets": [{"name": "main", "count": 1, "template": template}]}
    return {
        "apiVersion": KUEUE,
        "kind": "Workload",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def is_admitted(cluster: Cluster, made: Manifest) -> bool:
    metadata = made["metadata"]
    path = f"/apis/{KUEUE}/namespaces/{metadata['namespace']}/workloads/{metadata['name']}"
    conditions = cluster.api.get(path).raise_for_status().json().get("status", {}).get("conditions", [])
    return any(each["type"] == "Admitted" and each["status"] == "True" for each in conditions)


def waiting(cluster: Cluster, namespace: str) -> list[str]:
    path = f"/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/{namespace}/localqueues/lab/pendingworkloads"
    return [each["metadata"]["name"] for each in cluster.api.get(path).raise_for_status().json()["items"]]


def test_nodes_are_ready_with_eight_gpus_each(cluster: Cluster):
    nodes = {"cpu-1", "gpu-1", "gpu-2", "gpu-3", "gpu-4"}
    wait_until(lambda: cluster.nodes.ready() == nodes, "all nodes, and no others")
    gpus = cluster.kubectl("get", "nodes", "-o", r"jsonpath={.items[*].status.allocatable.nvidia\.com/gpu}")
    assert gpus == "8 8 8 8"


def test_kueue_admits_what_fits_and_tells_who_waits_and_goes_on_when_killed(cluster: Cluster, namespace: str):
    first, second = workload("first", namespace, 6), workload("second", namespace, 4)
    cluster.apply(quota(namespace))
    cluster.apply([first])
    wait_until(lambda: is_admitted(cluster, first), "the admission of the first")
    cluster.apply([second])
    wait_until(lambda: waiting(cluster, namespace) == ["second"], "the second in line")
    cluster.kill("kueue")
    cluster.start("kueue")
    cluster.kubectl("delete", "workload", "first", f"--namespace={namespace}")
    wait_until(lambda: is_admitted(cluster, second), "the admission of the second")
    cluster.kubectl("delete", "workload", "second", f"--namespace={namespace}")
    cluster.kubectl("delete", "localqueue", "lab", f"--namespace={namespace}")
    cluster.kubectl("delete", "clusterqueue", namespace)
    cluster.kubectl("delete", "resourceflavor", "a100")


def test_node_with_foreign_use_is_passed_over_and_so_is_a_closed_one(cluster: Cluster, namespace: str):
    used, closed = cluster.nodes.add(1, 8, used=5, prefix="old") + cluster.nodes.add(1, 8, prefix="old")
    cluster.nodes.cordon(closed)
    (free,) = cluster.nodes.add(1, 8, prefix="old")
    run(cluster, pod_on("first", namespace, [free]))  # who knows of this node has seen what happened to the others
    assert run(cluster, pod_on("picky", namespace, [used, closed, free], gpus=4))["spec"]["nodeName"] == free
    cluster.kubectl("delete", "pods", "--all", f"--namespace={FOREIGN}", "--grace-period=1")
    for name in (used, closed, free):
        cluster.nodes.remove(name)
    assert not cluster.nodes.ready() & {used, closed, free}


def pod_on(name: str, namespace: str, nodes: list[str], gpus: int = 0) -> Manifest:
    made = pod(name, namespace, [], gpus=gpus)
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": nodes}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    made["spec"]["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    return made


def test_start_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(control_plane, "api_server", lambda *_: ["etcd", "--no-such-setting"])
    monkeypatch.setenv("PATH", f"{programs.folder()}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ProcessEnded, match="kube-apiserver ended while it was started"), running_cluster():
        pass
    assert not processes_below(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.soak)])
def test_second_cluster_beside_the_first_is_ended_whole_however_its_owner_ends(
    cluster: Cluster, tmp_path: Path, how: signal.Signals
):
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    hearing = ("env", "--default-signal=INT")  # which all ignore that a shell starts in the background
    command = [*hearing, sys.executable, "-m", "tools.cluster", "--nodes", "1", "--gpus", "2"]
    with subprocess.Popen(command, cwd=REPOSITORY, env=environ, stdout=subprocess.PIPE, text=True) as started:
        try:
            last = LAST_WORDS.format(started.pid)
            told = "".join(iter(cast("IO[str]", started.stdout).readline, f"{last}\n"))
            assert "with 1 GPU nodes of 2 GPUs" in told
            kubeconfig = next(tmp_path.glob("*/kubeconfig"))
            assert f"KUBECONFIG={kubeconfig}" in told
            made = json.dumps(pod("sleeps", "default", ["sleep", "600"]))
            cluster.kubectl(f"--kubeconfig={kubeconfig}", "apply", "--filename=-", stdin=made)
            wait_until(lambda: len(processes_below(kubeconfig.parent / "pods")) == 1, "a process in the second cluster")
            assert len(processes_below(kubeconfig.parent)) > len(cluster.processes)
        finally:
            started.send_signal(how)
            started.communicate(timeout=120)
    wait_until(lambda: not list(tmp_path.iterdir()), "the end of the second cluster's files")
    wait_until(lambda: processes_below(kubeconfig.parent) == [], "the end of its processes")
