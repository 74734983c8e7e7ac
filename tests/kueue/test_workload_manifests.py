"""A ticket as a Workload: what Kueue counts for it is what its pod will ask for."""

from __future__ import annotations

from dataclasses import replace

from labpool.domain.tickets import Priority
from labpool.kueue.workload_manifests import Workloads, given_back, said_of
from labpool.kueue.workloads import Condition, Workload
from labpool.settings import ClusterSettings, FlavourOnNodes, KueueSettings, PodOfProfile

from tests.domain.lab import NINE, catalogue, ticket

CLUSTER = ClusterSettings(
    flavours={"gpu": FlavourOnNodes("nvidia.com/mig-1g.10gb", {"card": "a100"})},
    profiles={"gpu-2": PodOfProfile(ephemeral_gib=20)},
)
MADE = Workloads("p1", catalogue(), CLUSTER, KueueSettings("lab", namespace="servers"))


def test_it_asks_for_what_the_pod_asks_for_on_one_machine_of_the_flavour():
    asked = replace(ticket("train", gpus=2), priority=Priority.BATCH, attempt=3)
    manifest = MADE.manifest(asked, active=False)
    spec, metadata = manifest["spec"], manifest["metadata"]
    assert isinstance(spec, dict)
    assert isinstance(metadata, dict)
    assert (metadata["name"], metadata["namespace"]) == ("ticket-train", "servers")
    assert metadata["labels"].items() >= {"labpool/ticket": "train", "labpool/pool": "p1"}.items()
    assert metadata["annotations"] == {"labpool/attempt": "3", "labpool/made-of": MADE.made_of(asked)}
    assert (spec["queueName"], spec["active"], spec["priority"]) == ("vision", False, 200)
    assert spec["priorityClassRef"]["name"] == "lab-batch"
    (pod_set,) = spec["podSets"]
    assert pod_set["topologyRequest"] == {"required": "kubernetes.io/hostname"}
    assert pod_set["template"]["spec"]["nodeSelector"] == {"card": "a100"}
    (container,) = pod_set["template"]["spec"]["containers"]
    assert container["resources"]["requests"] == {
        "cpu": "2000m",
        "memory": "4096Mi",
        "ephemeral-storage": "20480Mi",
        "nvidia.com/mig-1g.10gb": "2",
    }


def test_what_it_is_made_of_differs_with_what_pool_yaml_says_and_not_with_the_attempt():
    asked = ticket("train", gpus=2)
    first, other_labels = MADE.made_of(asked), {"gpu": FlavourOnNodes("nvidia.com/mig-1g.10gb", {"card": "h100"})}
    assert replace(MADE, cluster=replace(CLUSTER, flavours=other_labels), _hashes={}).made_of(asked) != first
    assert MADE.made_of(replace(asked, attempt=2)) == first
    assert MADE.manifest(asked, True, host="n1")["metadata"]["annotations"]["labpool/made-of"] != first  # type: ignore[index]
    change = MADE.rejoined(replace(asked, attempt=2), active=True)
    assert change["metadata"] == {"annotations": {"labpool/attempt": "2", "labpool/made-of": first}}
    assert change["spec"] == MADE.manifest(asked, active=True)["spec"]


def test_that_of_a_lease_comes_before_all_who_wait_and_fits_its_machine_alone():
    spec = MADE.manifest(ticket("train", gpus=2), active=True, host="gpu-3")["spec"]
    assert spec["priority"] == 400  # type: ignore[index]
    (pod_set,) = spec["podSets"]  # type: ignore[index]
    assert pod_set["template"]["spec"]["nodeSelector"] == {"card": "a100", "kubernetes.io/hostname": "gpu-3"}


def test_profile_that_is_gone_still_has_the_least():
    (pod_set,) = MADE.manifest(replace(ticket("train"), profile="gone"), active=True)["spec"]["podSets"]  # type: ignore[index]
    requests = pod_set["template"]["spec"]["containers"][0]["resources"]["requests"]
    assert (requests["cpu"], requests["memory"]) == ("100m", "512Mi")


def test_giving_back_clears_the_admission_and_keeps_what_else_was_said():
    conditions = (
        Condition("QuotaReserved", "True", "QuotaReserved", "", "2026-03-02T09:00:00Z"),
        Condition("Admitted", "True", "Admitted", "", "2026-03-02T09:00:00Z"),
        Condition("PodsReady", "True", "Started", "", "2026-03-02T09:01:00Z"),
        Condition("Evicted", "True", "Preempted", "for somebody", "2026-03-02T10:00:00Z"),
    )
    workload = Workload("ticket-train", "u1", "7", "vision", 300, NINE, conditions=conditions)
    change = given_back(workload, NINE)
    status = change["status"]
    assert isinstance(status, dict)
    assert status["admission"] is None
    told = {each["type"]: each["status"] for each in status["conditions"]}
    assert told == {"Evicted": "True", "QuotaReserved": "False", "Admitted": "False", "Requeued": "True"}
    evicted = next(each for each in status["conditions"] if each["type"] == "Evicted")
    assert (evicted["reason"], evicted["lastTransitionTime"]) == ("Preempted", "2026-03-02T10:00:00Z")


def test_what_we_say_is_true_since_now():
    workload = Workload("ticket-train", "u1", "7", "vision", 300, NINE)
    said = said_of(workload, {"PodsReady": "Started"}, NINE)
    assert said["metadata"] == {"name": "ticket-train", "uid": "u1", "resourceVersion": "7"}
    assert said["status"] == {
        "conditions": [
            {
                "type": "PodsReady",
                "status": "True",
                "reason": "Started",
                "message": "The server answers.",
                "lastTransitionTime": "2026-03-02T09:00:00Z",
            }
        ]
    }
