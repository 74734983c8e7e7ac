"""How the pool stands at the moment of a scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from labpool.domain.explain import why_waiting
from labpool.domain.inventory import Device
from labpool.domain.reasons import WaitReason
from labpool.domain.tickets import OPEN, State
from labpool.domain.world import World
from labpool.service.metrics.described import (
    DEVICES,
    HUB,
    LAG,
    LEADER,
    LEASES,
    MOST_EXAMINED,
    NOTICES_WAITING,
    TICKETS,
    WAITING,
    Described,
)
from labpool.service.parts import Parts
from labpool.store import Transaction

_STARTING, _NOT_EXAMINED = "starting", "not_examined"
_REASONS = (*(reason.value for reason in WaitReason), _STARTING, _NOT_EXAMINED)
_DEVICE_STATES = ("leased", "free", "withheld", "out_of_service")

_Values = Mapping[tuple[str, ...], float]
_Counted: TypeAlias = Counter[tuple[str, ...]]


async def exposition(pool: Parts) -> bytes:
    """All metrics in Prometheus' text format; of a pool that stands by, what needs no look into the store."""
    leads = pool.leading.leads
    families = await pool.desk.view(lambda view: tuple(_standing(view, pool))) if leads else ()
    registry = CollectorRegistry()
    registry.register(_Once((_gauge(LEADER, {(): float(leads)}), *families)))
    return generate_latest(pool.desk.counts.registry) + generate_latest(registry)


class _Once(Collector):
    """Families that are worked out already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _standing(view: Transaction, pool: Parts) -> Iterator[Metric]:
    world, now = pool.desk.world(view), pool.desk.clock()
    yield _gauge(TICKETS, _tickets(world))
    yield _gauge(WAITING, _waiting(world, now))
    yield _gauge(LEASES, _leases(world))
    yield _gauge(DEVICES, _devices(world))
    yield _gauge(LAG, {(): max((now - pool.reconciler.sighting.at).total_seconds(), 0.0)})
    yield _gauge(HUB, {(): float(pool.desk.hub_answers)})
    yield _gauge(NOTICES_WAITING, {(way.value,): number for way, number in view.outbox.waiting().items()})


def _gauge(metric: Described, values: _Values) -> Metric:
    family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _tickets(world: World) -> _Values:
    counted: _Counted = Counter(
        {(state.value, flavour): 0 for state in State if state in OPEN for flavour in _flavours(world)}
    )
    counted.update((ticket.state.value, ticket.flavour) for ticket in world.tickets)
    return counted


def _waiting(world: World, now: datetime) -> _Values:
    counted: _Counted = Counter({(reason, flavour): 0 for reason in _REASONS for flavour in _flavours(world)})
    queued = sorted(
        (ticket for ticket in world.tickets if ticket.state is State.QUEUED),
        key=lambda ticket: (ticket.priority.rank, ticket.in_line_since),
    )
    for ticket in queued[:MOST_EXAMINED]:
        wait = why_waiting(ticket, world, now)
        counted[wait.reason.value if wait else _STARTING, ticket.flavour] += 1
    counted.update((_NOT_EXAMINED, ticket.flavour) for ticket in queued[MOST_EXAMINED:])
    return counted


def _leases(world: World) -> _Values:
    counted: _Counted = Counter({(flavour,): 0 for flavour in _flavours(world)})
    counted.update((lease.flavour,) for lease in world.leases)
    return counted


def _devices(world: World) -> _Values:
    leased = {device for lease in world.leases for device in lease.devices}
    withheld = {device for device, _ in world.inventory.withheld}
    out_of_use = world.inventory.out_of_use

    def state(device: Device) -> str:
        if device.id in leased:
            return "leased"
        if device.id in withheld:
            return "withheld"
        return "out_of_service" if device.id in out_of_use else "free"

    devices = world.inventory.devices
    kinds = {(device.flavour, str(device.simulated).lower()) for device in devices}
    counted: _Counted = Counter({(each, *kind): 0 for each in _DEVICE_STATES for kind in sorted(kinds)})
    counted.update((state(device), device.flavour, str(device.simulated).lower()) for device in devices)
    return counted


def _flavours(world: World) -> tuple[str, ...]:
    return tuple(world.catalogue.flavours)
