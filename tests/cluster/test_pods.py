"""What is read of pods."""

from __future__ import annotations

from datetime import datetime, timezone

from labpool.cluster.pods import pod_of

GPU = "nvidia.com/gpu"


def container(cpu: str = "", gpus: int = 0, restart: str = "") -> dict[str, object]:
    requests = ({"cpu": cpu} if cpu else {}) | ({GPU: str(gpus)} if gpus else {})
    return {"resources": {"requests": requests}, **({"restartPolicy": restart} if restart else {})}


def item(**spec: object) -> dict[str, object]:
    return {"metadata": {"name": "p", "namespace": "lab", "uid": "u"}, "spec": spec}


def test_containers_take_together_what_each_asks_for():
    seen = pod_of(item(nodeName="gpu-1", containers=[container("2", 1), container("500m", 2)]))
    assert (seen.node, seen.asks_for("cpu"), seen.asks_for(GPU), seen.asks_for("memory")) == ("gpu-1", 2_500, 3_000, 0)


def test_greedy_init_container_counts_where_it_asks_for_more_than_the_rest():
    seen = pod_of(item(containers=[container("2", 1)], initContainers=[container("4"), container("1", 2)]))
    assert (seen.asks_for("cpu"), seen.asks_for(GPU)) == (4_000, 2_000)


def test_sidecar_counts_beside_containers_and_beside_later_init_containers():
    sidecar = container("1", restart="Always")
    spec = item(containers=[container("2")], initContainers=[sidecar, container("3")], overhead={"cpu": "250m"})
    assert pod_of(spec).asks_for("cpu") == 4_250


def test_server_tells_its_pool_and_ticket():
    metadata = {
        "name": "jupyter-ada",
        "namespace": "lab",
        "labels": {"labpool/pool": "p1"},
        "annotations": {"labpool/ticket": "t1"},
    }
    seen = pod_of({"metadata": metadata})
    assert (seen.pool, seen.ticket, seen.lasting) == ("p1", "t1", False)


def test_pod_of_a_daemon_set_belongs_to_its_node():
    assert pod_of({"metadata": {"name": "d", "ownerReferences": [{"kind": "DaemonSet"}]}}).lasting
    assert not pod_of({"metadata": {"name": "d", "ownerReferences": [{"kind": "ReplicaSet"}]}}).lasting


def test_pod_without_a_place_says_since_when_and_one_with_a_place_does_not():
    condition = {"type": "PodScheduled", "status": "False", "lastTransitionTime": "2026-11-27T09:00:00Z"}
    waits = {**item(), "status": {"conditions": [condition]}}
    assert pod_of(waits).unplaced_since == datetime(2026, 11, 27, 9, tzinfo=timezone.utc)
    assert pod_of({**waits, "spec": {"nodeName": "gpu-1"}}).unplaced_since is None
    assert pod_of(item()).unplaced_since is None
