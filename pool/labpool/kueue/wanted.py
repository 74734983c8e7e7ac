"""Which queues pool.yaml comes to on the nodes of a cluster. Pure: nothing is read or written here.

Devices are shared out as pool.yaml says. CPU, memory and local storage of a flavour's nodes are every queue's, unless
pool.yaml names less: whether they are there at the moment is asked of each node, since flavours have a topology, and
nobody borrows any, so that devices alone decide who borrows and who gives back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labpool.cluster.nodes import BESIDE_DEVICES, CPU, MEMORY, NodeOffer, in_all, nodes_with, selecting_labels
from labpool.domain.catalogue import Catalogue, Project
from labpool.domain.tickets import Priority
from labpool.settings import ClusterSettings, FlavourOnNodes, KueueSettings, Toleration

_MIB = 2**20 * 1000
_STEP = 100


@dataclass(frozen=True, slots=True)
class WantedFlavour:
    """A ResourceFlavor. Its name holds a hash of the rest, since Kueue lets nobody change that."""

    name: str
    flavour: str
    resource: str
    node_labels: Mapping[str, str]
    tolerations: tuple[Toleration, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """Thousandths of a resource: own, borrowed at most (None: as much as is lent), lent at most (None: all)."""

    nominal: int
    borrow: int | None = None
    lend: int | None = None


@dataclass(frozen=True, slots=True)
class FlavourShares:
    """What a queue has of a flavour, by resource."""

    flavour: str
    shares: Mapping[str, Share]


@dataclass(frozen=True, slots=True)
class WantedQueue:
    """A project's ClusterQueue `name`, and the LocalQueue that is called like the project. `weight` in thousandths."""

    project: str
    name: str
    weight: int
    flavours: tuple[FlavourShares, ...]


@dataclass(frozen=True, slots=True)
class WantedPriority:
    """A WorkloadPriorityClass: of two tickets in one queue the one with the higher value is first."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class WantedQueues:
    """All that is wanted. `unowned` are the devices of each flavour that are no project's own, for all to borrow.

    `remarks` say in words what will surprise somebody.
    """

    settings: KueueSettings
    flavours: tuple[WantedFlavour, ...] = ()
    unowned: tuple[FlavourShares, ...] = ()
    queues: tuple[WantedQueue, ...] = ()
    priorities: tuple[WantedPriority, ...] = ()
    remarks: tuple[str, ...] = ()


def wanted_queues(
    catalogue: Catalogue,
    cluster: ClusterSettings,
    settings: KueueSettings,
    nodes: Sequence[NodeOffer],
    held: Mapping[str, frozenset[str]],
) -> WantedQueues:
    """The queues of all projects with devices.

    Args:
        catalogue: What the lab decided.
        cluster: How nodes offer flavours.
        settings: How queues are named and run; the namespace filled in.
        nodes: All of the cluster.
        held: Names of the ResourceFlavors that a project's Workloads hold. A queue keeps those, with nothing of its
            own, so that Kueue goes on counting them.

    Raises:
        UnusableFlavours: Kueue can't tell the flavours apart, or can't hold what pool.yaml says of one.
    """
    projects = [project for project in catalogue.projects.values() if _flavours_of(project)]
    used = {flavour for project in projects for flavour in _flavours_of(project)}
    kinds = {name: cluster.flavour(name) for name in catalogue.flavours if name in used}
    _make_sure_of(kinds)
    flavours = {name: _wanted_flavour(name, kind, settings.cohort) for name, kind in kinds.items()}
    stock = {name: nodes_with(kind, nodes) for name, kind in kinds.items()}
    owned = {name: _thousand(sum(p.nominal.get(name, 0) for p in projects)) for name in kinds}
    left = {name: in_all(stock[name], kind.resource) - owned[name] for name, kind in kinds.items()}
    queues = [_Queue(project, settings, flavours, stock, held.get(project.name, frozenset())) for project in projects]
    return WantedQueues(
        settings,
        tuple(flavours.values()),
        tuple(FlavourShares(f.name, {f.resource: Share(max(left[f.flavour], 0))}) for f in flavours.values()),
        tuple(queue.wanted(catalogue.weight_of(queue.project.name)) for queue in queues),
        tuple(WantedPriority(f"{settings.cohort}-{each.value}", priority_value(each)) for each in Priority),
        tuple(_remarks(owned, left)),
    )


def priority_value(priority: Priority) -> int:
    """A class as Kueue counts it; a Workload has to say it beside the class's name."""
    return _STEP * (len(Priority) - priority.rank)


class UnusableFlavours(Exception):
    """Kueue can't hold the flavours of pool.yaml; the message has one line for each reason."""


@dataclass(frozen=True, slots=True)
class _Queue:
    project: Project
    settings: KueueSettings
    flavours: Mapping[str, WantedFlavour]
    stock: Mapping[str, tuple[NodeOffer, ...]]
    held: frozenset[str]

    def wanted(self, weight: float) -> WantedQueue:
        own = _flavours_of(self.project)
        mine = [each for each in self.flavours.values() if each.flavour in own or each.name in self.held]
        devices = tuple(dict.fromkeys(each.resource for each in mine))
        name = f"{self.settings.cohort}-{self.project.name}"
        shares = tuple(FlavourShares(each.name, dict(self._shares(each, devices))) for each in mine)
        return WantedQueue(self.project.name, name, max(round(weight * 1000), 1), shares)

    def _shares(self, flavour: WantedFlavour, devices: Iterable[str]) -> Iterable[tuple[str, Share]]:
        for resource in BESIDE_DEVICES:
            yield resource, Share(self._beside(flavour.flavour, resource), borrow=0, lend=0)
        for resource in devices:
            yield resource, self._devices(flavour.flavour) if resource == flavour.resource else Share(0, 0, 0)

    def _devices(self, flavour: str) -> Share:
        own, lend = self.project.nominal.get(flavour, 0), self.project.lend.get(flavour)
        return Share(
            _thousand(own),
            borrow=_thousand(self.project.borrow.get(flavour, 0)),
            lend=None if lend is None else _thousand(min(lend, own)),
        )

    def _beside(self, flavour: str, resource: str) -> int:
        quota = self.settings.quota(self.project.name)
        if resource == CPU and flavour in quota.cpu:
            return round(quota.cpu[flavour] * 1000)
        if resource == MEMORY and flavour in quota.memory_gib:
            return round(quota.memory_gib[flavour] * 1024) * _MIB
        return in_all(self.stock[flavour], resource)


def _flavours_of(project: Project) -> frozenset[str]:
    return frozenset(name for name in (*project.nominal, *project.borrow) if project.most_at_once(name))


def _wanted_flavour(name: str, kind: FlavourOnNodes, cohort: str) -> WantedFlavour:
    labels = selecting_labels(kind)
    tolerations = [[each.key, each.value, each.effect] for each in kind.tolerations]
    told = json.dumps([kind.resource, sorted(labels.items()), tolerations])
    mark = hashlib.sha256(told.encode()).hexdigest()[:6]
    return WantedFlavour(f"{cohort}-{name}-{mark}", name, kind.resource, labels, kind.tolerations)


def _make_sure_of(kinds: Mapping[str, FlavourOnNodes]) -> None:
    problems = [*_too_much(kinds), *_alike(kinds)]
    if problems:
        raise UnusableFlavours("\n".join(problems))


def _too_much(kinds: Mapping[str, FlavourOnNodes]) -> Iterable[str]:
    for name, kind in kinds.items():
        for key, found in (("node_labels", kind.node_labels), ("tolerations", kind.tolerations)):
            if len(found) > 8:
                yield f"flavours.{name}.{key}: {len(found)}, and Kueue takes 8 at most. Name fewer that say the same."


def _alike(kinds: Mapping[str, FlavourOnNodes]) -> Iterable[str]:
    for name, kind in kinds.items():
        for other, its_kind in kinds.items():
            same = kind.resource == its_kind.resource and name != other
            if same and (set(kind.node_labels.items()) <= set(its_kind.node_labels.items())):
                yield (
                    f"flavours.{name} and flavours.{other} are both {kind.resource}, and the node_labels of {name} fit "
                    f"all nodes of {other}: Kueue can't tell them apart. Give {name} a label that {other} has not."
                )


def _remarks(owned: Mapping[str, int], left: Mapping[str, int]) -> Iterable[str]:
    for flavour, devices in left.items():
        there = (owned[flavour] + devices) // 1000
        if devices < 0:
            yield f"nominal of {flavour} sums to {owned[flavour] // 1000}, and the nodes have {there}."
        elif not there:
            yield f"No node has {flavour}: its resource or node_labels in pool.yaml fit none."


def _thousand(devices: int) -> int:
    return devices * 1000
