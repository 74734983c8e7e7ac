"""`labpool kueue sync` on a real API server with Kueue: what it makes, changes, leaves, deletes, and that it works."""

from __future__ import annotations

import json

import pytest

from tests.kubernetes.accounts import documented_roles, pool_account
from tests.kubernetes.fake_nodes import A100, FLAVOUR_LABEL, GPU
from tests.kubernetes.queues import KUEUE, Queues, acts_of, project
from tests.real_hub import wait_until

pytestmark = pytest.mark.kubernetes

NOMINAL = "resources[nvidia.com/gpu].nominalQuota"
VISION, SPEECH = project(nominal={"a100": 20}, borrow={"a100": 12}), project(nominal={"a100": 12}, borrow={"a100": 12})


def test_all_is_made_once_and_servers_get_machines_borrow_and_give_back(queues: Queues):
    vision = project(nominal={"a100": 20}, borrow={"a100": 12}, lend={"a100": 16}, weight=3)
    queues.write({"vision": vision, "speech": SPEECH, "idle": project()})
    planned = queues.acts("--dry-run")
    assert planned == {
        "Topology": "create",
        "ResourceFlavor a100": "create",
        "Cohort": "create",
        "WorkloadPriorityClass interactive": "create",
        "WorkloadPriorityClass batch": "create",
        "WorkloadPriorityClass scavenger": "create",
        "ClusterQueue vision": "create",
        "ClusterQueue speech": "create",
        "LocalQueue vision": "create",
        "LocalQueue speech": "create",
    }
    assert queues.acts() == planned
    assert queues.sync()["steps"] == []
    spec = queues.read("clusterqueues", "vision")["spec"]
    (quota,) = [each for each in spec["resourceGroups"][0]["flavors"][0]["resources"] if each["name"] == GPU]
    assert quota == {"name": GPU, "nominalQuota": "20", "borrowingLimit": "12", "lendingLimit": "16"}
    assert (spec["fairSharing"], spec["queueingStrategy"]) == ({"weight": "3"}, "StrictFIFO")
    for number in (1, 2, 3):
        queues.ask(f"vision-{number}", "vision", gpus=8)
    machines = {queues.wait_admitted(f"vision-{number}") for number in (1, 2, 3)}
    assert len(machines) == 3  # 24 GPUs, of which 4 are borrowed
    queues.ask("speech-1", "speech", gpus=8, cpu=60)
    machines.add(queues.wait_admitted("speech-1"))
    assert machines == {"gpu-1", "gpu-2", "gpu-3", "gpu-4"}
    queues.ask("speech-2", "speech", gpus=4)
    (taken,) = wait_for_evicted(queues, ["vision-1", "vision-2", "vision-3"])
    queues.end(taken)
    queues.wait_admitted("speech-2")
    assert queues.sync()["steps"] == []


def wait_for_evicted(queues: Queues, names: list[str]) -> list[str]:
    wait_until(lambda: any(queues.has(name, "Evicted") for name in names), "somebody who gives back")
    return [name for name in names if queues.has(name, "Evicted")]


def test_what_no_node_holds_waits_and_devices_of_nobody_are_for_all(queues: Queues):
    queues.write({"vision": project(borrow={"a100": 32})})
    queues.sync()
    assert queues.cluster.api.get(f"/apis/{KUEUE}/cohorts/{queues.namespace}").json()["spec"]["resourceGroups"] == [
        {
            "coveredResources": [GPU],
            "flavors": [
                {
                    "name": queues.flavour(),
                    "resources": [{"name": GPU, "nominalQuota": "32"}],
                }
            ],
        }
    ]
    for number in (1, 2, 3, 4):
        queues.ask(f"five-{number}", "vision", gpus=5)
        queues.wait_admitted(f"five-{number}")
    queues.ask("four", "vision", gpus=4)
    wait_until(lambda: "allow to fit" in str(queues.workload("four")), "no node with room")
    queues.end("five-2")
    queues.wait_admitted("four")


def test_new_nominal_is_shown_first_and_set_then(queues: Queues):
    queues.write({"vision": VISION})
    queues.sync()
    quota = {"cpu": {"a100": 100.5}, "memory_gib": {"a100": 300}}
    queues.write({"vision": project(nominal={"a100": 12})}, quotas={"vision": quota})
    shown = queues.run("--dry-run")
    assert f"].{NOMINAL}: 20 → 12" in shown.stdout
    assert "resources[cpu].nominalQuota: 256 → 100500m" in shown.stdout
    assert "resources[memory].nominalQuota: 2Ti → 300Gi" in shown.stdout
    assert "Nothing was done" in shown.stdout
    assert queues.acts() == {"ClusterQueue vision": "change", "Cohort": "change"}
    assert queues.sync()["steps"] == []


def test_what_somebody_else_has_set_is_told_and_left_until_it_is_forced(queues: Queues):
    queues.write({"vision": VISION, "speech": SPEECH})
    queues.sync()
    queues.patch("vision", {"queueingStrategy": "BestEffortFIFO", "stopPolicy": "Hold"}, manager="kubectl-edit")
    queues.write({"vision": VISION, "speech": VISION})
    result = queues.run()
    assert result.exit_code == 1
    assert "spec.queueingStrategy: BestEffortFIFO → StrictFIFO, set by kubectl-edit" in result.stdout
    assert "--force" in result.stdout
    assert f"].{NOMINAL}: 12 → 20" in result.stdout  # the other queue
    assert queues.read("clusterqueues", "vision")["spec"]["queueingStrategy"] == "BestEffortFIFO"
    assert queues.acts("--force") == {"ClusterQueue vision": "change"}
    spec = queues.read("clusterqueues", "vision")["spec"]
    assert (spec["queueingStrategy"], spec["stopPolicy"]) == ("StrictFIFO", "Hold")  # what isn't ours stays
    assert queues.sync()["steps"] == []


def test_queue_of_somebody_else_with_our_name_is_left_alone(queues: Queues):
    name = f"{queues.namespace}-vision"
    theirs = {"apiVersion": KUEUE, "kind": "ClusterQueue", "metadata": {"name": name}, "spec": {"cohortName": "theirs"}}
    queues.cluster.apply([theirs])
    queues.write({"vision": VISION})
    result = queues.run("--json")
    assert result.exit_code == 1
    assert acts_of(json.loads(result.stdout), queues.namespace)["ClusterQueue vision"] == "foreign"
    assert queues.read("clusterqueues", "vision")["spec"]["cohortName"] == "theirs"


def test_project_that_is_gone_leaves_when_nobody_is_in_its_queue(queues: Queues):
    queues.write({"vision": VISION, "speech": SPEECH})
    queues.sync()
    queues.ask("late", "speech", gpus=1)
    queues.wait_admitted("late")
    queues.write({"vision": VISION})
    kept = queues.sync()
    assert acts_of(kept, queues.namespace) == {
        "Cohort": "change",
        "LocalQueue speech": "kept",
        "ClusterQueue speech": "kept",
    }
    assert "In use by a Workload" in kept["steps"][1]["said"]
    queues.end("late")
    assert queues.acts() == {"LocalQueue speech": "delete", "ClusterQueue speech": "delete"}
    wait_until(lambda: queues.sync()["steps"] == [], "the end of the queue")


def test_flavour_changes_only_while_nobody_holds_its_devices(queues: Queues):
    queues.write({"vision": VISION})
    queues.sync()
    old = queues.flavour()
    queues.ask("holds", "vision", gpus=1)
    queues.wait_admitted("holds")
    tolerations = [{"key": GPU}, {"key": "maintenance", "effect": "NoSchedule"}]
    changed = {"title": "A100", "node_labels": {FLAVOUR_LABEL: A100}, "tolerations": tolerations}
    queues.write({"vision": VISION}, flavours={"a100": changed})
    result = queues.run()
    assert result.exit_code == 1
    assert "is in use by a Workload" in result.stderr
    assert queues.flavour() == old
    queues.end("holds")
    done = queues.acts()
    assert done["ClusterQueue vision"] == done["Cohort"] == "change"
    assert queues.flavour() != old
    queues.ask("again", "vision", gpus=1)
    queues.wait_admitted("again")
    wait_until(lambda: queues.sync()["steps"] == [], "the end of the old flavour")


def test_documented_role_is_enough_and_what_it_lacks_is_named(queues: Queues):
    cluster, namespace = queues.cluster, queues.namespace
    queues.write({"vision": VISION})
    account = pool_account(cluster, namespace, queues.folder / "kubeconfig")
    result = queues.run(kubeconfig=account)
    assert result.exit_code == 1
    assert 'Add the verb "list" for the resource "topologies" of the API group "kueue.x-k8s.io"' in result.stderr
    cluster.apply(documented_roles("labpool-queues", namespace))
    wait_until(lambda: queues.run(kubeconfig=account).exit_code == 0, "all that the new roles allow")
    queues.write({})
    assert queues.run(kubeconfig=account).exit_code == 0
    cluster.kubectl("delete", "clusterrole,clusterrolebinding", "labpool-queues")


def test_kueue_that_is_down_is_named_and_nothing_is_changed(queues: Queues):
    queues.write({"vision": VISION})
    queues.sync()
    queues.write({"vision": SPEECH})
    queues.cluster.kill("kueue")
    try:
        result = queues.run()
    finally:
        queues.cluster.start("kueue")
    assert result.exit_code == 3
    assert "Kueue gives no answer" in result.stderr
    assert "change" in queues.acts().values()


def test_flavour_that_a_project_lost_stays_counted_while_it_is_held(queues: Queues):
    other = {"title": "Other", "resource": "example.com/other"}
    flavours = {"a100": {"title": "A100", "node_labels": {FLAVOUR_LABEL: A100}}, "other": other}
    queues.write({"vision": VISION, "speech": SPEECH}, flavours=flavours)
    queues.sync()
    queues.ask("holds", "speech", gpus=8)
    queues.wait_admitted("holds")
    queues.write({"vision": VISION, "speech": project(borrow={"other": 1})}, flavours=flavours)
    queues.sync()
    wait_until(lambda: "'borrowed': '8'" in str(queues.read("clusterqueues", "speech")), "8 that are borrowed")
    queues.end("holds")
    assert queues.acts() == {"ClusterQueue speech": "change"}


def test_queue_that_is_being_deleted_is_told(queues: Queues):
    queues.write({"vision": VISION})
    queues.sync()
    queues.ask("holds", "vision", gpus=1)
    queues.wait_admitted("holds")
    wait_until(lambda: "finalizers" in queues.read("clusterqueues", "vision")["metadata"], "Kueue's hold on the queue")
    queues.cluster.kubectl("delete", "clusterqueue", f"{queues.namespace}-vision", "--wait=false")
    result = queues.run()
    assert result.exit_code == 1
    assert "It is being deleted" in result.stdout
    queues.end("holds")
    wait_until(lambda: queues.run().exit_code == 0, "the queue made again")
