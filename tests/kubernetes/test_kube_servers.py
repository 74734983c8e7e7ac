"""A real hub outside the cluster, with a real pool, whose servers are pods: starts, ends, deaths and restarts.

The pool's devices are simulated ones on this machine, named as a node of the cluster, so that pods find their place.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from bs4 import BeautifulSoup

from tests.clearing import clear
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.kube_lab import HUB, KubeLab, servers_namespace
from tests.real_hub import wait_until
from tests.running_lab import POOL_YAML, RunningLab, running_lab

pytestmark = [pytest.mark.kubernetes, pytest.mark.hub]

CPU = {"project": "vision", "profile": "cpu", "hours": 1}
GPU_2 = {"project": "vision", "profile": "gpu-2", "hours": 1}
ENDED = "The server ended by itself"
POOL = POOL_YAML.replace("restart_minutes: 0.1", "restart_minutes: 5")  # no lease is lost while a test goes on
SIDECAR = 'c.KubeSpawner.extra_containers = [{"name": "side", "image": "none"}]'


@pytest.fixture(scope="module")
def module_lab(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeLab]:
    namespace = "kube-servers"
    nodes = json.loads(cluster.kubectl("get", "nodes", "--output=json"))["items"]
    node = next(each["metadata"]["name"] for each in nodes if "nvidia.com/gpu" in each["status"]["allocatable"])
    with (
        servers_namespace(cluster, namespace),
        running_lab(
            tmp_path_factory.mktemp("lab"),
            pool_yaml=POOL.replace("name: demo,", f"name: {node},"),
            hub_config=HUB.format(namespace=namespace) + SIDECAR,
            environ={"KUBECONFIG": str(cluster.kubeconfig)},
        ) as lab,
    ):
        lab.signed_in("ada")
        yield KubeLab(lab, cluster, namespace, node)
        clear(lab)


@pytest.fixture
def kube(module_lab: KubeLab) -> Iterator[KubeLab]:
    """The module's lab; afterwards nothing runs and nobody waits."""
    yield module_lab
    clear(module_lab.lab)
    wait_until(lambda: module_lab.pods() == [], "the end of all pods")


def test_leased_server_runs_on_its_node_and_its_stop_ends_the_lease(kube: KubeLab):
    pod = kube.start(GPU_2)
    ticket, told = kube.ticket(), kube.lab.told("ada")
    assert pod["spec"]["nodeName"] == kube.node
    assert pod["metadata"]["annotations"]["labpool/ticket"] == told["LABPOOL_TICKET"] == ticket.id
    assert pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    kube.lab.stop_server("ada")
    wait_until(lambda: not kube.lab.leased(), "the end of the lease")
    assert kube.pods() == []


def test_server_of_before_a_restart_of_the_hub_is_known_and_its_stop_ends_the_lease(kube: KubeLab):
    kube.start(GPU_2)
    (before,) = kube.lab.pids("hub")
    kube.lab.kill("hub")
    wait_until(lambda: kube.lab.pids("hub") not in ([], [before]), "a new hub")
    wait_until(lambda: _answers(kube.lab), "the hub's answer")
    kube.lab.wait_ready("ada")  # it is looked for a little while before the hub begins to answer, and then beside that
    kube.lab.stop_server("ada")
    wait_until(lambda: not kube.lab.leased(), "the end of the lease")


def test_pod_that_died_keeps_its_lease_and_gets_it_again(kube: KubeLab):
    died = kube.start(GPU_2)
    ticket = kube.ticket()
    kube.lab.use("ada")
    (process,) = kube.lab.labs()
    subprocess.run(["kill", "-9", str(process)], check=True)
    wait_until(lambda: not kube.lab.is_active("ada"), "the hub's notice of the death")
    assert list(kube.lab.leased()) == [ticket.id]
    assert "ended by itself" in kube.lab.log("hub")
    again = kube.start(GPU_2)
    assert again["metadata"]["uid"] != died["metadata"]["uid"]
    assert again["metadata"]["annotations"]["labpool/ticket"] == ticket.id


def test_start_that_failed_keeps_its_lease_for_the_next_try(kube: KubeLab):
    broken = kube.cluster.folder / "claims" / kube.namespace / "claim-ada" / "break-the-server"
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.touch()
    try:
        before = kube.lab.log("hub").count(ENDED)
        assert kube.lab.start_server("ada", GPU_2).status_code != 201  # it is up
        wait_until(lambda: kube.lab.log("hub").count(ENDED) > before, "the end of the start")
        (ticket,) = kube.lab.leased()
    finally:
        broken.unlink()
    wait_until(lambda: kube.lab.is_ready("ada") or kube.lab.start_server("ada", GPU_2).is_success, "the next try")
    kube.lab.wait_ready("ada")
    assert kube.lab.told("ada")["LABPOOL_TICKET"] == ticket


def test_server_that_died_beside_a_living_sidecar_is_over_and_keeps_its_lease(kube: KubeLab):
    pod = kube.start(GPU_2)
    ticket = kube.ticket()
    kube.lab.use("ada")
    # pods of these nodes are one process each, so what a kubelet would tell is told here
    began = {"startedAt": pod["status"]["startTime"]}
    states = {
        "notebook": {"terminated": {**began, "exitCode": 137, "reason": "OOMKilled", "finishedAt": began["startedAt"]}},
        "side": {"running": began},
    }
    told = [{"name": name, "state": state, "ready": name == "side"} for name, state in states.items()]
    kube.cluster.kubectl(
        "patch",
        "pod",
        pod["metadata"]["name"],
        f"--namespace={kube.namespace}",
        "--subresource=status",
        f"--patch={json.dumps({'status': {'phase': 'Running', 'containerStatuses': told}})}",
    )
    wait_until(lambda: not kube.lab.is_active("ada"), "the hub's notice of the death")
    assert list(kube.lab.leased()) == [ticket.id]
    assert "The server used more memory than its profile has" in kube.lab.log("hub")
    again = kube.start(GPU_2)
    assert again["metadata"]["uid"] != pod["metadata"]["uid"]
    assert again["metadata"]["annotations"]["labpool/ticket"] == ticket.id


def test_stored_options_name_what_starts_and_reach_nothing_else(kube: KubeLab):
    beyond = {"image": "mine", "kubespawner_override": {"privileged": True}, "node_selector": {"no": "such"}}
    for stored in ({**GPU_2, **beyond}, {**CPU, "pod_overrides": {"hostNetwork": True}}):
        kube.lab.api("PATCH", "/users/ada/server", {"user_options": stored}).raise_for_status()
        assert kube.lab.api("POST", "/users/ada/server").status_code == 422
        assert (kube.pods(), kube.lab.leased()) == ([], {})
    kube.lab.api("PATCH", "/users/ada/server", {"user_options": GPU_2}).raise_for_status()
    assert kube.lab.api("POST", "/users/ada/server").is_success
    kube.lab.wait_ready("ada")
    (pod,) = kube.pods()
    assert pod["metadata"]["annotations"]["labpool/ticket"] == kube.ticket().id


def test_user_who_stops_a_server_that_still_starts_ends_its_lease(kube: KubeLab):
    kube.cluster.kubectl("cordon", kube.node)
    try:
        kube.lab.start_server("ada", GPU_2)
        wait_until(lambda: bool(kube.pods()), "the pod")
        assert kube.lab.leased()
        kube.lab.stop_server("ada")
        wait_until(lambda: not kube.lab.leased(), "the end of the lease")
        assert kube.pods() == []
    finally:
        kube.cluster.kubectl("uncordon", kube.node)


def test_start_that_is_not_ready_in_time_keeps_its_lease_and_leaves_no_pod(kube: KubeLab):
    kube.cluster.kubectl("cordon", kube.node)
    try:
        kube.lab.start_server("ada", GPU_2)
        wait_until(lambda: bool(kube.pods()), "the pod")
        (pod,) = kube.pods()
        (ticket,) = kube.lab.leased()
        gone, said = pod["metadata"]["uid"], kube.lab.log("hub").count("not_ready_in_time")
        wait_until(lambda: gone not in [each["metadata"]["uid"] for each in kube.pods()], "the end of the start", 120)
        wait_until(lambda: kube.lab.log("hub").count("not_ready_in_time") > said, "the word on it")
        assert list(kube.lab.leased()) == [ticket]
    finally:
        kube.cluster.kubectl("uncordon", kube.node)


def test_cpu_server_starts_without_gpu_or_ticket_and_ends_after_its_hours(kube: KubeLab):
    assert kube.lab.start_server("ada", {**CPU, "hours": 0.003}).is_success
    wait_until(lambda: bool(kube.pods()), "the pod")
    (pod,) = kube.pods()
    assert "labpool/ticket" not in pod["metadata"]["annotations"]
    assert "nvidia.com/gpu" not in pod["spec"]["containers"][0]["resources"]["limits"]
    wait_until(lambda: not kube.lab.is_active("ada"), "the end of the CPU server")
    assert "hours are over" in kube.lab.log("hub")


def test_spawner_that_had_gpus_has_none_in_its_next_start(kube: KubeLab):
    kube.start(GPU_2)
    kube.lab.stop_server("ada")
    wait_until(lambda: not kube.lab.leased(), "the end of the lease")
    pod = kube.start(CPU)
    assert "nvidia.com/gpu" not in pod["spec"]["containers"][0]["resources"]["limits"]
    assert "affinity" not in pod["spec"]


def test_form_shows_what_is_free_now(kube: KubeLab):
    kube.start(GPU_2)
    page = kube.lab.signed_in("bert").open("/hub/spawn/bert").text
    assert "2 of 4 free" in BeautifulSoup(page, "html.parser").get_text(" ", strip=True)


def _answers(lab: RunningLab) -> bool:
    try:
        return lab.api("GET", "/users/ada").status_code == 200
    except httpx.HTTPError:
        return False
