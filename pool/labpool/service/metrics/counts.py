"""What is counted as it happens, since the pool was started."""

from __future__ import annotations

from datetime import datetime
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

from labpool.domain.admitted import plan_admitted
from labpool.domain.planner import Planner
from labpool.domain.plans import BreakCause, Plan
from labpool.domain.world import World
from labpool.service.metrics.described import DECISION, FAILED_TRIES, NOTICES, PROMISES, WAIT, Described
from labpool.store import Outcome, Way

_MINUTE, _HOUR = 60, 3600
_WAITS = (1, 10, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, 24 * _HOUR, 72 * _HOUR)
_DECISIONS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Counts:
    """The counters of one pool. One that an undone transaction led to is not taken back."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._waits = self._histogram(WAIT, _WAITS)
        self._decisions = self._histogram(DECISION, _DECISIONS)
        self._promises, self._notices = self._counter(PROMISES), self._counter(NOTICES)
        self._tries = self._counter(FAILED_TRIES)
        self._begin_at_zero()

    def decided(self, plan: Plan, world: World, now: datetime, seconds: float) -> None:
        """Count a decision, how long the granted ones had waited, and the promises that it breaks."""
        self._decisions.observe(seconds)
        for broken in plan.broken:
            self._promises.labels(broken.cause.value).inc()
        granted = {grant.ticket for grant in plan.grants}
        for ticket in world.tickets if granted else ():
            if ticket.id in granted:
                self._waits.labels(ticket.flavour).observe(max((now - ticket.in_line_since).total_seconds(), 0.0))

    def notice_done(self, way: Way, outcome: Outcome) -> None:
        """Count a notice that is not tried again."""
        self._notices.labels(way.value, outcome.value).inc()

    def try_failed(self, way: Way) -> None:
        """Count a try to send that failed."""
        self._tries.labels(way.value).inc()

    def _begin_at_zero(self) -> None:
        """Show each counter from the start: a rate needs a first value."""
        for cause in BreakCause:
            self._promises.labels(cause.value)
        for way in Way:
            self._tries.labels(way.value)
            for outcome in Outcome:
                self._notices.labels(way.value, outcome.value)

    def _histogram(self, metric: Described, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(metric.name, metric.meaning, metric.labels, buckets=buckets, registry=self.registry)

    def _counter(self, metric: Described) -> Counter:
        return Counter(metric.name, metric.meaning, metric.labels, registry=self.registry)


class CountedPlanner:
    """A planner whose decisions are counted."""

    def __init__(self, counts: Counts) -> None:
        self._planner, self._counts = Planner(), counts

    def plan(self, world: World, now: datetime, first: str = "") -> Plan:
        """Plan as `Planner.plan` does, or as an engine decided that has a queue of its own."""
        began = perf_counter()
        if world.verdicts is None:
            decided = self._planner.plan(world, now, first)
        else:
            decided = plan_admitted(world, world.verdicts, now)
        self._counts.decided(decided, world, now, perf_counter() - began)
        return decided
