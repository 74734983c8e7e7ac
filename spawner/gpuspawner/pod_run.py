"""What a running pod was started with, as the hub's database keeps it over a restart of the hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from labpool.api_models import LeaseToApply

from gpuspawner.options import ServerOptions

_TICKET, _ENDS = "labpool_ticket", "labpool_ends"


@dataclass(frozen=True, slots=True)
class PodRun:
    """The ticket whose lease it has, "" for a CPU profile; `ends` is when its hours are over, None where unknown."""

    ticket: str = ""
    ends: datetime | None = None

    @classmethod
    def begun(cls, options: ServerOptions, lease: LeaseToApply | None, now: datetime) -> PodRun:
        """A run that has just begun."""
        return cls(lease.ticket, lease.ends) if lease else cls("", now + timedelta(hours=options.hours))

    @classmethod
    def of_state(cls, state: Mapping[str, object]) -> PodRun:
        """The run that `to_state` told of; an empty one where there is nothing of it."""
        ticket, ends = state.get(_TICKET), state.get(_ENDS)
        try:
            return cls(str(ticket or ""), datetime.fromisoformat(str(ends)) if ends else None)
        except ValueError:
            return cls(str(ticket or ""))

    def to_state(self) -> dict[str, str]:
        """For the hub's database."""
        return {_TICKET: self.ticket, _ENDS: self.ends.isoformat()} if self.ends else {}

    def is_over(self, now: datetime) -> bool:
        """Whether the hub has to end it: the hours of a CPU server; a lease is ended by the pool."""
        return not self.ticket and self.ends is not None and now >= self.ends
