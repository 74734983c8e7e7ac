"""What is read from the cluster."""

from __future__ import annotations

from labpool.kueue.manifests import Kind, Named, labels_of
from labpool.kueue.standing import HeldWorkload, Standing, live_of, workloads_of


def workload(name: str, queue: str, flavour: str = "", finished: bool = False) -> dict[str, object]:
    assignment = {"name": "main", "flavors": {"cpu": flavour, "nvidia.com/gpu": flavour}}
    admission = (
        {"admission": {"clusterQueue": f"labpool-{queue}", "podSetAssignments": [assignment]}} if flavour else {}
    )
    conditions = [{"type": "Finished", "status": str(finished), "reason": "JobFinished"}]
    return {"metadata": {"name": name}, "spec": {"queueName": queue}, "status": {"conditions": conditions, **admission}}


def test_workloads_that_are_over_hold_nothing():
    items = [
        workload("runs", "vision", "a100"),
        workload("waits", "vision"),
        workload("over", "vision", "h100", finished=True),
        {"metadata": {"name": "new"}, "spec": {"queueName": "speech"}},
    ]
    standing = Standing(workloads=tuple(workloads_of(items)))
    assert standing.workloads[0] == HeldWorkload("runs", "vision", "labpool-vision", frozenset({"a100"}))
    assert standing.held() == {"vision": frozenset({"a100"}), "speech": frozenset()}


def test_queue_is_ours_with_our_labels_only_and_needs_what_it_names():
    groups = [{"coveredResources": ["cpu"], "flavors": [{"name": "a100", "resources": []}]}]
    item = {
        "metadata": {
            "name": "labpool-vision",
            "labels": labels_of("labpool"),
            "deletionTimestamp": "2026-11-27T09:46:43Z",
        },
        "spec": {"cohortName": "labpool", "resourceGroups": groups},
    }
    found = live_of(Kind.CLUSTER_QUEUE, item, "labpool")
    assert (found.named, found.ours, found.going) == (Named(Kind.CLUSTER_QUEUE, "labpool-vision"), True, True)
    assert found.refers == {Named(Kind.COHORT, "labpool"), Named(Kind.FLAVOUR, "a100")}
    assert not live_of(Kind.CLUSTER_QUEUE, item, "another").ours
