"""What a running pod was started with. The pod itself tells it, so a hub that died meanwhile knows it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from labpool.api_models import LeaseToApply

from gpuspawner.options import ServerOptions
from gpuspawner.pod_fields import NOTEBOOK, container_states, mapping, text

_TICKET, _GRANTED_AT, _HOURS = "labpool/ticket", "labpool/granted-at", "labpool/hours"


@dataclass(frozen=True, slots=True)
class PodRun:
    """The ticket whose lease it has and when that began (ISO 8601), or "" and "" for a CPU profile.

    That one's hours are over at `ends`; None where unknown.
    """

    ticket: str = ""
    granted_at: str = ""
    ends: datetime | None = None

    @classmethod
    def of_pod(cls, pod: Mapping[str, object]) -> PodRun:
        """The run of a pod as the API tells it."""
        annotations = mapping(mapping(pod.get("metadata")).get("annotations"))
        running = mapping(container_states(pod).get(NOTEBOOK, {}).get("running"))
        ends = _end(text(running, "startedAt"), text(annotations, _HOURS))
        return cls(text(annotations, _TICKET), text(annotations, _GRANTED_AT), ends)

    @classmethod
    def planned(cls, annotations: Mapping[str, str]) -> PodRun:
        """The run of a pod that is to have these annotations."""
        return cls(annotations.get(_TICKET, ""), annotations.get(_GRANTED_AT, ""))

    def is_over(self, now: datetime) -> bool:
        """Whether the hub has to end it: the hours of a CPU server; a lease is ended by the pool."""
        return not self.ticket and self.ends is not None and now >= self.ends


def annotations_of(options: ServerOptions, lease: LeaseToApply | None) -> dict[str, str]:
    """What `PodRun.of_pod` reads. A lease's end isn't among it, since an extension changes that."""
    if lease is None:
        return {_HOURS: repr(options.hours)}
    return {_TICKET: lease.ticket, _GRANTED_AT: lease.starts.isoformat()}


def _end(started: str, hours: str) -> datetime | None:
    try:
        return datetime.fromisoformat(started.replace("Z", "+00:00")) + timedelta(hours=float(hours))
    except ValueError:
        return None
