"""The engine kueue from end to end: a real hub and pool outside the cluster, Kueue's queues and pods inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from labpool.api_models import TicketView
from labpool.client import PoolUnavailable

from tests.clearing import clear
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fake_nodes import A100, FLAVOUR_LABEL, GPU
from tests.kubernetes.kube_lab import pool_yaml_of, profiles_of, two_projects
from tests.kubernetes.kueue_lab import KueueLab, next_second
from tests.kubernetes.namespaces import SAFE
from tests.kubernetes.planned_lab import Manifest, running_planned_lab
from tests.kubernetes.queues import HOST, KUEUE, Queues
from tests.real_hub import wait_until
from tests.running_lab import RunningLab
from tests.waits import wait_for

pytestmark = [pytest.mark.kubernetes, pytest.mark.hub]

NAMESPACE = "kueue-servers"
PROFILES = profiles_of("a100", (1, 4, 5, 8))
RULES: dict[str, Any] = {
    "flavours": {"a100": {"title": "A100", "gpu_memory_gib": 80, "node_labels": {FLAVOUR_LABEL: A100}}},
    "limits": {"user": {"gpus": 32, "servers": 10, "queued": 30}, "users": {"olga": {"gpus": 8}}},
    "profiles": PROFILES,
    "projects": two_projects(nominal={"a100": 16}, borrow={"a100": 16}, profiles=list(PROFILES)),
    "queue": {
        "shortest_minutes": 0.001,
        "restart_minutes": 0.1,
        "turnover_minutes": 0,
        "end_grace_minutes": 0.02,
        "grace_minutes": 0.5,
        "placement_minutes": 0.05,
        "reconcile_seconds": 0.5,
    },
}


def _pool_yaml(**changed: object) -> str:
    return pool_yaml_of("kueue", NAMESPACE, **{**RULES, **changed})


@pytest.fixture(scope="module")
def module_lab(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KueueLab]:
    queues = Queues(cluster, NAMESPACE, tmp_path_factory.mktemp("queues"))
    with running_planned_lab(cluster, tmp_path_factory.mktemp("lab"), NAMESPACE, _pool_yaml()) as kube:
        for user in ("ada", "bert", "olga"):
            kube.lab.signed_in(user)
        made = f"/apis/{KUEUE}/clusterqueues/{NAMESPACE}-vision"
        wait_until(lambda: cluster.answers(made), "the pool's queues")
        yield KueueLab(kube.lab, kube, queues)
        clear(kube.lab)
        kube.lab.stop()  # or it would make the queues again
        queues.remove()


@pytest.fixture
def kueue(module_lab: KueueLab) -> Iterator[KueueLab]:
    """The module's lab; afterwards nothing runs, nobody waits, and Kueue knows of nothing."""
    yield module_lab
    clear(module_lab.lab)
    wait_until(lambda: module_lab.workloads() == {}, "the end of all Workloads")


def test_turn_lease_pod_and_release(kueue: KueueLab):
    ticket = kueue.start("ada")
    (pod,) = kueue.kube.pods()
    (workload,) = kueue.workloads().values()
    assignment = workload["status"]["admission"]["podSetAssignments"][0]["topologyAssignment"]
    assert pod["spec"]["nodeName"] == assignment["slices"][0]["valuesPerLevel"][0]["universal"]
    assert pod["metadata"]["annotations"]["labpool/ticket"] == ticket
    wait_until(lambda: kueue.queues.has(f"ticket-{ticket}", "PodsReady"), "PodsReady")
    kueue.lab.stop_server("ada")
    wait_until(lambda: kueue.workloads() == {}, "the release")
    assert kueue.lab.leased() == {}


def test_machines_with_running_servers_take_no_more_than_they_have(kueue: KueueLab):
    for name in ("a", "b", "c", "d"):
        kueue.start("ada", gpus=4, name=name)
        kueue.start("ada", gpus=4, name=f"{name}2")  # had Kueue counted the pods twice, they would find no room
    nodes = [pod["spec"]["nodeName"] for pod in kueue.kube.pods()]
    assert sorted(nodes) == sorted([f"gpu-{number}" for number in (1, 2, 3, 4)] * 2)


def test_waits_with_place_and_starts_by_itself(kueue: KueueLab):
    for name in ("a", "b", "c", "d"):
        kueue.start("ada", name=name)
    kueue.ask("olga", gpus=8)
    wait_until(lambda: kueue.ticket("olga").place == 1, "a place")
    assert kueue.ticket("olga").starts_by is None
    assert "No latest time is promised" in kueue.ticket("olga").no_promise
    wait_until(lambda: kueue.why("olga") in {"devices", "project_limit"}, "the reason")
    page = kueue.kube.page_of(kueue.ticket("olga"))
    assert "You are next in your project's line." in page
    assert "No latest time is promised: the cluster" in page
    kueue.lab.stop_server("ada", "b")
    kueue.lab.wait_ready("olga")


def test_page_tells_the_place_in_the_projects_line_and_the_likely_start(kueue: KueueLab):
    for name in ("a", "b"):
        kueue.start("ada", name=name)
        kueue.start("bert", name=name, project="speech")
    for place, (user, name) in enumerate([("olga", ""), ("ada", "second"), ("ada", "third")], 1):
        next_second()
        kueue.ask(user, name=name)
        wait_until(partial(kueue.stands, user, name, place), f"place {place} of {user}")
    pages = [kueue.kube.page_of(kueue.ticket(user, name)) for user, name in (("ada", "second"), ("ada", "third"))]
    assert [re.findall(r"You are (\w+) in your project's line\.", page) for page in pages] == [["2nd"], ["3rd"]]
    wait_until(lambda: kueue.ticket("olga").likely_start is not None, "an estimate")
    likely = kueue.ticket("olga").likely_start
    assert likely is not None
    assert likely <= max(each.lease.ends for each in kueue.lab.home("ada").tickets if each.lease)
    assert re.search(r"Likely \d\d:\d\d UTC \.", kueue.kube.page_of(kueue.ticket("olga")))


def test_doctor_says_that_kueue_decides(kueue: KueueLab):
    assert "ok engine: kueue: the GPUs of a cluster's nodes; Kueue decides who gets which" in kueue.kube.doctor()


def test_who_is_over_the_limit_waits_outside_and_keeps_the_place(kueue: KueueLab):
    kueue.start("olga")
    kueue.ask("olga", name="second")
    wait_until(lambda: kueue.why("olga", "second") == "own_limit", "the reason")
    waiting = f"ticket-{kueue.ticket('olga', 'second').id}"
    wait_until(lambda: waiting in kueue.workloads(), "its Workload")
    assert kueue.workloads()[waiting]["spec"]["active"] is False
    kueue.lab.stop_server("olga")
    kueue.lab.wait_ready("olga", "second")


def test_borrower_gives_back_with_notice_and_grace_and_starts_again(kueue: KueueLab):
    tickets = {name: kueue.start("ada", name=name) for name in ("a", "b", "c", "d")}
    for name in tickets:
        kueue.lab.use("ada", name)
    kueue.ask("bert", project="speech")
    (taken,) = wait_for(lambda: _in_grace(kueue, tickets), "a taking back of what still runs")
    assert taken.notice is not None
    assert "borrowed" in taken.notice.message
    wait_until(lambda: kueue.why("bert") == "coming_back" or kueue.lab.is_ready("bert"), "the reason")
    kueue.lab.wait_ready("bert")
    again = kueue.ticket("ada", taken.name)
    assert (again.state, again.attempt) == ("queued", 2)
    wait_until(lambda: kueue.ticket("ada", taken.name).place == 1, "its place")
    kueue.lab.stop_server("bert")
    kueue.lab.wait_ready("ada", taken.name)
    assert kueue.ticket("ada", taken.name).id == tickets[taken.name]


def _in_grace(kueue: KueueLab, names: dict[str, str]) -> list[TicketView]:
    """What is taken back, and whose server was still up when that was known."""
    taken = [each for each in kueue.lab.home("ada").tickets if each.name in names and each.state == "reclaiming"]
    return [ticket for ticket in taken if kueue.lab.is_ready("ada", ticket.name)]


def test_fragmented_machines_make_wait_with_that_reason(kueue: KueueLab):
    for name in ("a", "b", "c", "d"):
        kueue.start("ada", gpus=5, name=name)
    kueue.ask("olga", gpus=4)
    wait_until(lambda: kueue.why("olga") == "no_room", "the reason")
    kueue.lab.stop_server("ada", "c")
    kueue.lab.wait_ready("olga")


def test_killed_pool_leaves_no_workload_without_ticket_and_forgets_nobody(kueue: KueueLab):
    kueue.start("ada", name="a")
    kueue.ask("ada", name="b")
    (before,) = kueue.lab.pids("pool")
    kueue.lab.kill("pool")
    kueue.lab.stop_server("ada", "a")
    wait_until(lambda: kueue.lab.pids("pool") not in ([], [before]), "a new pool")
    wait_until(lambda: _answers(kueue.lab), "the pool's answer")
    wait_until(lambda: kueue.lab.ticket("ada", "a") is None, "the end of the first one")
    kueue.lab.wait_ready("ada", "b")
    second = kueue.ticket("ada", "b").id
    wait_until(lambda: set(kueue.workloads()) == {f"ticket-{second}"}, "the end of the first one's Workload")


def _answers(lab: RunningLab) -> bool:
    try:
        return lab.home("ada") is not None
    except PoolUnavailable:
        return False


def test_foreign_workload_is_counted_in_the_place(kueue: KueueLab):
    for number in range(4):
        kueue.queues.ask(f"foreign-{number}", "vision", gpus=8)
        kueue.queues.wait_admitted(f"foreign-{number}")
    kueue.queues.ask("foreign-waits", "vision", gpus=8)
    try:
        wait_until(lambda: kueue.queues.workload("foreign-waits").get("status") is not None, "Kueue's word on it")
        kueue.ask("ada")
        wait_until(lambda: kueue.ticket("ada").place is not None, "a place")
        wait_until(lambda: kueue.why("ada") in {"behind_others", "used_elsewhere"}, "the reason")
    finally:
        kueue.queues.end(*(f"foreign-{number}" for number in range(4)), "foreign-waits")
    kueue.lab.wait_ready("ada")


def test_turn_on_a_machine_without_room_is_given_back_and_tried_again(kueue: KueueLab):
    pods = [_uncounted(number) for number in (1, 2, 3, 4)]
    kueue.kube.cluster.apply(pods)
    wait_until(lambda: len(kueue.kube.pool().withheld) == 16, "the pool's notice of these pods")
    kueue.ask("ada")
    wait_until(lambda: kueue.why("ada") == "not_placed", "the reason")
    wait_until(lambda: kueue.ticket("ada").place == 1, "its place")
    names = [pod["metadata"]["name"] for pod in pods]
    kueue.kube.cluster.kubectl("delete", "pods", *names, f"--namespace={NAMESPACE}", "--grace-period=1")
    kueue.lab.wait_ready("ada")


def _uncounted(number: int) -> Manifest:
    """A pod on a machine that Kueue takes for one whose Workload it has admitted."""
    container = {
        "name": "main",
        "image": "none",
        "command": ["sleep", "600"],
        "resources": {"requests": {GPU: "4"}, "limits": {GPU: "4"}},
        "securityContext": SAFE,
    }
    spec = {"nodeName": f"gpu-{number}", "containers": [container], "tolerations": [{"operator": "Exists"}]}
    metadata = {
        "name": f"uncounted-{number}",
        "namespace": NAMESPACE,
        "annotations": {"kueue.x-k8s.io/podset-required-topology": HOST},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def test_changed_share_reaches_the_queues_while_the_pool_runs(kueue: KueueLab):
    def nominal() -> str:
        (group,) = kueue.queues.read("clusterqueues", "vision")["spec"]["resourceGroups"]
        return str(next(each["nominalQuota"] for each in group["flavors"][0]["resources"] if each["name"] == GPU))

    assert nominal() == "16"
    projects = {**RULES["projects"]}
    projects["vision"] = {**projects["vision"], "nominal": {"a100": 12}}
    kueue.lab.write_pool_yaml(_pool_yaml(projects=projects))
    wait_until(lambda: nominal() == "12", "the new share")
    kueue.lab.write_pool_yaml(_pool_yaml())
    wait_until(lambda: nominal() == "16", "the old share")


def test_kueue_that_is_away_keeps_nobody_from_asking_and_costs_nobody_the_server(kueue: KueueLab):
    cluster = kueue.kube.cluster
    kueue.start("ada", name="a")
    cluster.kill("kueue")
    try:
        kueue.ask("olga")
        assert kueue.why("olga") == "undecided"
        wait_until(lambda: "Kueue gives no answer" in kueue.kube.pool().trouble, "the pool's trouble")
    finally:
        cluster.start("kueue")
    kueue.lab.wait_ready("olga")
    wait_until(lambda: kueue.kube.pool().trouble == "", "the end of the trouble")
    assert kueue.lab.is_ready("ada", "a")
