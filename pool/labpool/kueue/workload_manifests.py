"""A ticket as a Workload: what the API server is sent, and what it is sent as time goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from labpool.cluster.nodes import CPU, MEMORY, STORAGE, selecting_labels
from labpool.cluster.pods import POOL_LABEL
from labpool.domain.catalogue import Catalogue
from labpool.domain.tickets import Priority, Ticket
from labpool.kueue.manifests import GROUP_VERSION, HOST, labels_of
from labpool.kueue.wanted import priority_value
from labpool.kueue.workloads import ATTEMPT, MADE_OF, TICKET, Condition, Workload
from labpool.settings import LEAST_CPU, LEAST_MEMORY_GIB, ClusterSettings, KueueSettings

KUEUE = "kueue.x-k8s.io"
BEFORE_ALL = priority_value(Priority.INTERACTIVE) + 100
"""The priority of a Workload whose ticket holds its devices already."""
_POD_SET = "main"
_MEBI = 1024


@dataclass(frozen=True, slots=True)
class Workloads:
    """How tickets become Workloads of the pool with this id. The settings name the namespace."""

    pool: str
    catalogue: Catalogue
    cluster: ClusterSettings
    settings: KueueSettings
    _hashes: dict[tuple[str, ...], str] = field(default_factory=dict, repr=False, compare=False)

    def manifest(self, ticket: Ticket, active: bool, host: str = "") -> dict[str, object]:
        """A new one. Its place in line is its project's last of its class; `active`: Kueue may choose it.

        One of a lease that stands names the host of its machine: it comes before all who wait, and fits nowhere else.
        """
        spec = self._spec(ticket, host)
        return {
            "apiVersion": GROUP_VERSION,
            "kind": "Workload",
            "metadata": {
                "name": name_of(ticket),
                "namespace": self.settings.namespace,
                "labels": {**labels_of(self.settings.cohort), POOL_LABEL: self.pool, TICKET: ticket.id},
                "annotations": {ATTEMPT: str(ticket.attempt), MADE_OF: _hash_of(spec)},
            },
            "spec": {**spec, "active": active},
        }

    def rejoined(self, ticket: Ticket, active: bool) -> dict[str, dict[str, object]]:
        """The change by which one that holds nothing stands in line, where it stood, for what its ticket is now."""
        annotations: dict[str, object] = {ATTEMPT: str(ticket.attempt), MADE_OF: self.made_of(ticket)}
        return {"metadata": {"annotations": annotations}, "spec": {**self._spec(ticket), "active": active}}

    def made_of(self, ticket: Ticket) -> str:
        """The hash of what the Workload of a ticket in line asks for now."""
        key = (ticket.project, ticket.profile, ticket.flavour, str(ticket.gpus), ticket.priority.value)
        if key not in self._hashes:
            self._hashes[key] = _hash_of(self._spec(ticket))
        return self._hashes[key]

    def _spec(self, ticket: Ticket, host: str = "") -> dict[str, object]:
        name = f"{self.settings.cohort}-{ticket.priority.value}"
        return {
            "queueName": ticket.project,
            "priorityClassRef": {"group": KUEUE, "kind": "WorkloadPriorityClass", "name": name},
            "priority": BEFORE_ALL if host else priority_value(ticket.priority),
            "podSets": [self._pod_set(ticket, host)],
        }

    def _pod_set(self, ticket: Ticket, host: str) -> dict[str, object]:
        offered = self.cluster.flavour(ticket.flavour)
        container = {"name": "server", "image": "server", "resources": {"requests": self._requests(ticket)}}
        spec = {
            "containers": [container],
            "restartPolicy": "Never",
            "nodeSelector": selecting_labels(offered) | ({HOST: host} if host else {}),
        }
        return {"name": _POD_SET, "count": 1, "topologyRequest": {"required": HOST}, "template": {"spec": spec}}

    def _requests(self, ticket: Ticket) -> dict[str, str]:
        """The same as the pod's, else its machine would be fuller than Kueue thinks, or emptier."""
        profile, pod = self.catalogue.profile_of(ticket), self.cluster.profile(ticket.profile)
        return {
            CPU: f"{round(max(profile.cpu, LEAST_CPU) * 1000)}m",
            MEMORY: _mebibytes(max(profile.memory_gib, LEAST_MEMORY_GIB)),
            STORAGE: _mebibytes(pod.ephemeral_gib),
            self.cluster.flavour(ticket.flavour).resource: str(ticket.gpus),
        }


def name_of(ticket: Ticket) -> str:
    """One for each time that its user has joined the line: who missed a turn stands at its end again."""
    return f"ticket-{ticket.id}" + (f"-{ticket.unclaimed}" if ticket.unclaimed else "")


def said_of(workload: Workload, conditions: Mapping[str, str], now: datetime) -> dict[str, object]:
    """Our conditions, by their types with the reasons, as the status to apply to this version of a Workload."""
    at = now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = [
        {"type": kind, "status": "True", "reason": reason, "message": _MESSAGES[kind], "lastTransitionTime": at}
        for kind, reason in conditions.items()
    ]
    metadata = {"name": workload.name, "uid": workload.uid, "resourceVersion": workload.version}
    return {"apiVersion": GROUP_VERSION, "kind": "Workload", "metadata": metadata, "status": {"conditions": said}}


_MESSAGES = {"PodsReady": "The server answers.", "Finished": "The pool has no lease for it any more."}


def given_back(workload: Workload, now: datetime) -> dict[str, dict[str, object]]:
    """The change by which a Workload gives back what it holds and stands in line again, where it stood.

    It is what Kueue does for its own jobs once their pods are gone. The conditions are sent as a whole.
    """
    at = now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = {
        "QuotaReserved": Condition("QuotaReserved", "False", "Pending", "Given back by the pool.", at),
        "Admitted": Condition("Admitted", "False", "NoReservation", "Given back by the pool.", at),
        "Requeued": Condition("Requeued", "True", "GivenBack", "The pool has given back what it held.", at),
    }
    kept = [each for each in workload.conditions if each.type not in {*told, "PodsReady"}]
    conditions = [
        {
            "type": each.type,
            "status": each.status,
            "reason": each.reason,
            "message": each.message,
            "lastTransitionTime": each.since,
        }
        for each in (*kept, *told.values())
    ]
    return {"status": {"admission": None, "conditions": conditions}}


def _hash_of(spec: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:12]


def _mebibytes(gib: float) -> str:
    return f"{max(round(gib * _MEBI), 1)}Mi"
