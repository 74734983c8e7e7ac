"""A cluster without Kueue: a real hub, a real pool whose planner decides over the nodes, and servers that are pods."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.clearing import clear
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fake_nodes import FLAVOUR_LABEL, FOREIGN
from tests.kubernetes.planned_lab import Manifest, PlannedLab, running_planned_lab, ticket_of
from tests.kubernetes.pods import SAFE
from tests.real_hub import wait_until
from tests.running_lab import POOL_YAML

pytestmark = [pytest.mark.kubernetes, pytest.mark.hub]

NAMESPACE, PRODUCT = "planned", "A-CARD-OF-ITS-OWN"
GPU_1, GPU_2, GPU_4 = ({"project": "vision", "profile": f"gpu-{n}", "hours": 1} for n in (1, 2, 4))
POOL = f"engine: kubernetes\nkubernetes: {{namespace: {NAMESPACE}}}\n" + POOL_YAML.replace(
    "gpu_memory_gib: 16}}\n", f"gpu_memory_gib: 16, node_labels: {{{FLAVOUR_LABEL}: {PRODUCT}}}}}}}\n"
).replace("restart_minutes: 0.1", "restart_minutes: 0.15, placement_minutes: 0.05")


@pytest.fixture(scope="module")
def module_lab(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlannedLab]:
    nodes = cluster.nodes.add(2, 8, product=PRODUCT, prefix="planned")
    with running_planned_lab(cluster, tmp_path_factory.mktemp("lab"), NAMESPACE, POOL) as kube:
        for user in ("ada", "olga"):
            kube.lab.signed_in(user)
        yield kube
    for node in nodes:
        cluster.nodes.remove(node)


@pytest.fixture
def kube(module_lab: PlannedLab) -> Iterator[PlannedLab]:
    """The module's lab; afterwards nothing runs, nobody waits, and nobody else uses its nodes."""
    yield module_lab
    clear(module_lab.lab)
    end_foreign(module_lab)
    wait_until(lambda: module_lab.pool().flavours[0].free == 16, "all GPUs free", 90)


def end_foreign(kube: PlannedLab, node: str = "") -> None:
    chosen = [f"--field-selector=spec.nodeName={node}"] if node else ["--all"]
    if kube.cluster.api.get(f"/api/v1/namespaces/{FOREIGN}").status_code == 200:
        kube.cluster.kubectl("delete", "pods", *chosen, f"--namespace={FOREIGN}", "--grace-period=1")


def node_of(kube: PlannedLab, user: str) -> str:
    lease = kube.ticket(user).lease
    assert lease is not None
    (node,) = {device.partition("/")[0] for device in lease.devices}
    return node


def other_than(node: str) -> str:
    return next(name for name in ("planned-1", "planned-2") if name != node)


def free(kube: PlannedLab) -> int:
    return kube.pool().flavours[0].free


def test_lease_becomes_a_pod_on_its_node_and_ends_with_it(kube: PlannedLab):
    ticket = kube.running("ada", GPU_2)
    assert ticket.lease is not None
    node = node_of(kube, "ada")
    assert sorted(ticket.lease.devices) == [f"{node}/demo-gpu/0", f"{node}/demo-gpu/1"]
    assert kube.pod_of(ticket)["spec"]["nodeName"] == node
    assert (kube.pool().engine, kube.pool().simulated, free(kube)) == ("kubernetes", False, 14)
    kube.lab.stop_server("ada")
    kube.ended(ticket, "stopped")


def test_second_user_waits_with_a_promise_and_starts_when_the_first_stops(kube: PlannedLab):
    first = kube.running("ada", GPU_4)
    waiting = kube.ask("olga", GPU_1)
    assert first.lease is not None and waiting.starts_by is not None
    assert (waiting.state, waiting.place) == ("queued", 1)
    assert waiting.starts_by >= first.lease.ends
    kube.lab.stop_server("ada")
    assert kube.until_used("olga").id == waiting.id
    assert len(kube.pods()) == 1


def test_end_of_hours_ends_the_pod(kube: PlannedLab):
    ticket = kube.running("ada", {**GPU_1, "hours": 0.005})
    kube.ended(ticket, "time_limit")
    wait_until(lambda: not kube.lab.is_active("ada"), "the hub's notice")


def test_pod_that_died_keeps_its_lease_for_the_next_start(kube: PlannedLab):
    ticket = kube.running("ada", GPU_1)
    died = kube.pod_of(ticket)["metadata"]["uid"]
    (process,) = kube.lab.labs()
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: not kube.lab.is_active("ada"), "the hub's notice of the death")
    assert kube.running("ada", GPU_1).id == ticket.id
    assert kube.pod_of(ticket)["metadata"]["uid"] != died


def test_lease_without_a_pod_ends_after_the_restart_time(kube: PlannedLab):
    ticket = kube.running("ada", GPU_1)
    kube.cluster.kubectl("delete", "pod", kube.pod_of(ticket)["metadata"]["name"], f"--namespace={NAMESPACE}")
    kube.ended(ticket, "lost")
    assert free(kube) == 16


def test_pod_without_a_lease_is_ended(kube: PlannedLab):
    ours = {"labels": {"labpool/pool": kube.lab.place.pool_id}, "annotations": {"labpool/ticket": "of-nobody"}}
    kube.cluster.apply([stray("stray", ours), stray("bystander", {})])
    wait_until(lambda: "of-nobody" not in map(ticket_of, kube.pods()), "the end of the stray pod")
    assert [pod["metadata"]["name"] for pod in kube.pods()] == ["bystander"]
    kube.cluster.kubectl("delete", "pod", "bystander", f"--namespace={NAMESPACE}", "--grace-period=1")


def stray(name: str, more: Manifest) -> Manifest:
    container = {"name": "main", "image": "none", "command": ["sleep", "600"], "securityContext": SAFE}
    metadata = {"name": name, "namespace": NAMESPACE, **more}
    spec = {"containers": [container], "restartPolicy": "Never", "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def test_killed_pool_loses_nothing(kube: PlannedLab):
    runs, waits = kube.running("ada", GPU_4), kube.ask("olga", GPU_1)
    (before,) = kube.lab.pids("pool")
    uid = kube.pod_of(runs)["metadata"]["uid"]
    kube.lab.kill("pool")
    wait_until(lambda: kube.lab.pids("pool") not in ([], [before]) and answers(kube), "the pool again", 60)
    assert (kube.ticket("ada").lease, kube.ticket("ada").state) == (runs.lease, "running")
    assert (kube.ticket("olga").starts_by, kube.ticket("olga").place) == (waits.starts_by, 1)
    assert kube.pod_of(runs)["metadata"]["uid"] == uid
    kube.lab.stop_server("ada")
    assert kube.until_used("olga").id == waits.id


def test_cluster_whose_api_server_is_away_for_a_while_loses_no_lease(kube: PlannedLab):
    runs = kube.running("ada", GPU_4)
    waits = kube.ask("olga", GPU_1)
    kube.cluster.kill("kube-apiserver")
    wait_until(lambda: "We don't see the cluster's" in kube.pool().trouble, "the trouble told", 60)
    assert (kube.ticket("ada").lease, kube.ticket("ada").state) == (runs.lease, "running")
    assert kube.ticket("olga").starts_by == waits.starts_by
    kube.cluster.start("kube-apiserver")
    wait_until(lambda: not kube.pool().trouble, "the end of the trouble", 60)
    assert (kube.ticket("ada").lease, kube.lab.is_ready("ada")) == (runs.lease, True)
    kube.lab.stop_server("ada")
    assert kube.until_used("olga").id == waits.id


def answers(kube: PlannedLab) -> bool:
    try:
        return bool(kube.pool().flavours)
    except Exception:  # whatever the client makes of a pool that is not there yet
        return False


def test_cordoned_node_is_not_granted_and_runs_what_is_there_to_its_end(kube: PlannedLab):
    kube.running("ada", GPU_1)
    closed = node_of(kube, "ada")
    kube.cluster.nodes.cordon(closed)
    try:
        wait_until(lambda: [each.node for each in kube.pool().out_of_service] == [closed], "the node out of service")
        assert kube.pool().out_of_service[0].condition == "drained"
        kube.running("olga", GPU_1)
        assert node_of(kube, "olga") == other_than(closed)
        assert kube.lab.is_ready("ada")
    finally:
        kube.cluster.nodes.cordon(closed, closed=False)
    wait_until(lambda: not kube.pool().out_of_service, "the node in service")


def test_server_of_a_node_that_is_gone_starts_elsewhere_under_its_name(kube: PlannedLab):
    first = kube.running("ada", GPU_1)
    dead, pod = node_of(kube, "ada"), kube.pod_of(first)
    kube.cluster.nodes.remove(dead)
    try:
        wait_until(lambda: kube.ticket("ada").attempt == 2, "its lease counted as lost", 60)
        wait_until(lambda: kube.ticket("ada").state == "granted", "another lease", 60)
        assert node_of(kube, "ada") == other_than(dead)
        again = kube.until_used("ada")
        assert again.id == first.id
        moved = kube.pod_of(again)
        assert (moved["metadata"]["name"], moved["spec"]["nodeName"]) == (pod["metadata"]["name"], other_than(dead))
    finally:
        assert kube.cluster.nodes.add(1, 8, product=PRODUCT, prefix="planned") == [dead]
    assert kube.lab.is_ready("ada")


def test_devices_that_foreign_pods_use_are_withheld_until_they_end(kube: PlannedLab):
    kube.cluster.nodes.use("planned-1", 3)
    wait_until(lambda: free(kube) == 13, "three devices less")
    withheld = kube.pool().withheld
    assert [each.device for each in withheld] == [f"planned-1/demo-gpu/{index}" for index in (5, 6, 7)]
    assert f"{FOREIGN}/on-planned-1-" in withheld[0].reason
    end_foreign(kube)
    wait_until(lambda: free(kube) == 16 and not kube.pool().withheld, "all of them again")


def test_who_asks_for_more_than_any_node_has_left_waits_and_starts_when_one_has_room(kube: PlannedLab):
    for node in ("planned-1", "planned-2"):
        kube.cluster.nodes.use(node, 5)
    wait_until(lambda: free(kube) == 6, "three free devices on each node")
    waiting = kube.ask("ada", GPU_4)
    assert (waiting.state, kube.pods()) == ("queued", [])
    assert waiting.wait is not None and "machine" in waiting.wait.message
    end_foreign(kube, "planned-2")
    kube.until_used("ada")
    assert (kube.ticket("ada").id, node_of(kube, "ada")) == (waiting.id, "planned-2")


def test_server_for_which_its_machine_has_no_room_goes_back_in_line_and_starts_elsewhere(kube: PlannedLab):
    filled = "planned-1"
    kube.cluster.nodes.use(filled, 1)  # so that it is the fuller one, where small requests go
    kube.cluster.apply([glutton(filled)])
    wait_until(lambda: free(kube) == 15, "one device less")
    kube.lab.start_server("ada", GPU_1)
    asked = kube.ticket("ada")
    wait_until(lambda: kube.ticket("ada").attempt == 2, "its lease given back")
    told = kube.ticket("ada")
    assert told.id == asked.id
    kube.until_used("ada")
    assert node_of(kube, "ada") == other_than(filled)


def glutton(node: str) -> Manifest:
    """A foreign pod that takes a node's whole disk, of which no planner knows."""
    container = {
        "name": "glutton",
        "image": "none",
        "resources": {"requests": {"ephemeral-storage": "2Ti"}, "limits": {"ephemeral-storage": "2Ti"}},
    }
    spec = {"nodeName": node, "containers": [container], "tolerations": [{"operator": "Exists"}]}
    metadata = {"name": f"glutton-on-{node}", "namespace": FOREIGN}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
