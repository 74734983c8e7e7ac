"""When tickets will likely start, as observed runs say; worked out at most every few seconds."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from labpool.domain.likely import likely_starts
from labpool.domain.run_lengths import RunLengths
from labpool.domain.tickets import State, Ticket
from labpool.domain.world import World
from labpool.service.counting import Tally
from labpool.store import EndedRun

_FRESH = timedelta(seconds=5)


class _Known(NamedTuple):
    at: datetime
    asked: tuple[object, ...]
    starts: Mapping[str, datetime]

    def is_fresh(self, now: datetime) -> bool:
        return timedelta(0) <= now - self.at < _FRESH


class LikelyStarts:
    """Estimates by flavour, safe between threads. Many look at the same queue, so one serves for some seconds."""

    def __init__(self) -> None:
        self._lengths = Tally[RunLengths]()
        self._known: dict[str, _Known] = {}
        self._one_at_a_time = threading.Lock()

    def of(self, ticket: Ticket, world: World, ended: Sequence[EndedRun], now: datetime) -> datetime | None:
        """When a ticket in line likely starts; None where that is too far ahead to tell, and for other tickets."""
        if ticket.state is not State.QUEUED:
            return None
        return self.all_of(ticket.flavour, world, ended, now).get(ticket.id)

    def all_of(self, flavour: str, world: World, ended: Sequence[EndedRun], now: datetime) -> Mapping[str, datetime]:
        """When the tickets in line for a flavour likely start; without those too far ahead to tell."""
        line = frozenset(each.id for each in world.line() if each.flavour == flavour)
        if not line:
            return {}
        asked = (line, world.inventory, world.catalogue)
        with self._one_at_a_time:
            known = self._known.get(flavour)
            if known is None or known.asked != asked or not known.is_fresh(now):
                lengths = self._lengths.of(ended, None, RunLengths, _with_runs)
                known = self._known[flavour] = _Known(now, asked, likely_starts(world, lengths, flavour, now))
        return known.starts

    def known(self, ticket: Ticket, now: datetime) -> datetime | None:
        """When a ticket in line likely starts, where that was worked out within the last seconds; None else."""
        known = self._known.get(ticket.flavour)
        is_told = known is not None and known.is_fresh(now) and ticket.state is State.QUEUED
        return known.starts.get(ticket.id) if known and is_told else None


def _with_runs(lengths: RunLengths, runs: Sequence[EndedRun]) -> RunLengths:
    for run in runs:
        if run.asked > timedelta(0):
            lengths.observe(run.user, run.profile, run.asked, run.ends - run.starts)
    return lengths
