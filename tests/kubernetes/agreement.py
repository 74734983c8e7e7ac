"""What a pool's store and its cluster agree on once nothing is under way any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labpool.cluster.pods import pod_of
from labpool.domain.leases import Lease
from labpool.domain.tickets import State, Ticket
from labpool.kueue.workload_manifests import name_of
from labpool.kueue.workloads import Workload, workload_of
from labpool.store import connect
from labpool.store.kept import Kept, read
from labpool.store.sqlite import READS_ONLY
from sqlalchemy import Engine

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.planned_lab import ticket_of
from tests.kubernetes.queues import KUEUE

Manifest = dict[str, Any]


def stored(database: Engine) -> Kept:
    """What a store says at one moment; its pool may be running."""
    with database.execution_options(**{READS_ONLY: True}).connect() as connection:
        return read(connection)


def stored_at(url: str) -> Kept:
    """The same of the database at an address."""
    database = connect(url)
    try:
        return stored(database)
    finally:
        database.dispose()


@dataclass(frozen=True)
class InCluster:
    """What is in a pool's namespace: its pods, and all Workloads by name; None where the engine has none."""

    pods: Sequence[Manifest]
    workloads: Mapping[str, Workload] | None

    @staticmethod
    def of(cluster: Cluster, namespace: str, engine: str, pool_id: str) -> InCluster:
        """All that is there now of this pool, over or not."""
        chosen = {"labelSelector": f"labpool/pool={pool_id}"}
        pods = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods", params=chosen).raise_for_status().json()
        if engine != "kueue":
            return InCluster(pods["items"], None)
        found = cluster.api.get(f"/apis/{KUEUE}/namespaces/{namespace}/workloads").raise_for_status().json()
        workloads = map(workload_of, found["items"])
        return InCluster(pods["items"], {each.name: each for each in workloads})


def disagreements(kept: Kept, there: InCluster, time_stands: bool = False) -> list[str]:
    """What the store and the cluster say otherwise of the same thing, and what is still under way, in words.

    Args:
        kept: The store.
        there: The cluster.
        time_stands: A server that died, or finds no room, is waited for without end.
    """
    waited_for = set(_waited_for(kept, there.pods)) if time_stands else set[str]()
    seen = [lease for lease in kept.leases.values() if lease.ticket not in waited_for]
    return [
        *_pods_without_lease(kept, there.pods),
        *(words for lease in seen for words in _about_lease(lease, there.pods)),
        *(_about_workloads(kept, there.workloads, waited_for) if there.workloads is not None else ()),
    ]


def _waited_for(kept: Kept, pods: Sequence[Manifest]) -> Iterator[str]:
    yield from (lease.ticket for lease in kept.leases.values() if lease.absent_since is not None)
    yield from (ticket_of(pod) for pod in pods if pod_of(pod).unplaced_since is not None)


def _pods_without_lease(kept: Kept, pods: Sequence[Manifest]) -> Iterator[str]:
    for pod in pods:
        if ticket_of(pod) not in kept.leases:
            yield f"the pod {_named(pod)} is there without a lease"


def _about_lease(lease: Lease, pods: Sequence[Manifest]) -> Iterator[str]:
    own = [pod for pod in pods if ticket_of(pod) == lease.ticket]
    if lease.stopping_since is not None:
        yield f"the server of {lease.ticket} is being stopped"
    elif lease.ready_at is None or lease.absent_since is not None:
        yield f"the server of {lease.ticket} is not there"
    if len(own) != 1:
        yield f"{lease.ticket} has a lease and the pods {[_named(pod) for pod in own]}"
    for pod in own:
        if pod["status"].get("phase") != "Running" or "deletionTimestamp" in pod["metadata"]:
            yield f"the pod {_named(pod)} of the lease of {lease.ticket} doesn't run"
        if pod["spec"].get("nodeName") != node_of(lease):
            yield f"the pod {_named(pod)} is on {pod['spec'].get('nodeName')}, and the lease on {node_of(lease)}"


def _about_workloads(kept: Kept, workloads: Mapping[str, Workload], waited_for: set[str]) -> Iterator[str]:
    wanted = {name_of(each): each for each in kept.tickets.values() if each.state is not State.QUEUED or each.ready}
    for name in sorted({each.name for each in workloads.values() if each.ticket} - wanted.keys()):
        yield f"the Workload {name} is there without a ticket in line or with a lease"
    for name, ticket in wanted.items():
        workload, lease = workloads.get(name), kept.leases.get(ticket.id)
        if workload is None:
            yield f"{ticket.id} is {ticket.state.value} and has no Workload"
        elif workload.going or workload.attempt != ticket.attempt:
            yield f"the Workload {name} is of another time of its ticket, or goes"
        elif lease is None:
            yield from _about_waiting(workload, ticket, workloads.values())
        elif ticket.state is not State.RECLAIMING and ticket.id not in waited_for:
            yield from _about_held(workload, lease)


def _about_held(workload: Workload, lease: Lease) -> Iterator[str]:
    if not workload.admitted or workload.asked_back or workload.node != node_of(lease):
        yield f"the lease of {lease.ticket} is on {node_of(lease)}, and its Workload on {workload.node or 'none'}"
    elif not workload.is_true("PodsReady"):
        yield f"Kueue has not been told that the server of {lease.ticket} is up"


def _about_waiting(workload: Workload, ticket: Ticket, others: Iterable[Workload]) -> Iterator[str]:
    """In a strict line Kueue says something of the first one only."""
    line = [each for each in others if each.queue == workload.queue and each.pending and each.active]
    if workload.reserved:
        yield f"{ticket.id} waits, and it is the turn of its Workload"
    elif workload in line and all(each.says("QuotaReserved") is None for each in line):
        yield f"Kueue has not said yet what {ticket.id} waits for"


def node_of(lease: Lease) -> str:
    """The node of a lease's devices."""
    (node,) = {device.partition("/")[0] for device in lease.devices}
    return node


def _named(pod: Manifest) -> str:
    return str(pod["metadata"]["name"])
