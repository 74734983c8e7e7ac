"""From nodes, pods and leases to devices. Pure: nothing is asked of the cluster here.

A device here is the right to one more of a node's resource: which card that is, the node's kubelet says when a pod
comes. So of devices that nobody leases, as many are withheld as others use or the node no longer offers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from labpool.cluster.nodes import CPU, MEMORY, NodeOffer, selecting_labels
from labpool.cluster.pods import SeenPod
from labpool.domain.inventory import Condition, Device, Inventory, Node
from labpool.domain.leases import Lease
from labpool.engines.engine import Trespasser
from labpool.settings import FlavourOnNodes

_GIB = 2**30 * 1000
_CONDITIONS = frozenset(f"node.kubernetes.io/{name}" for name in ("unschedulable", "not-ready", "unreachable"))
"""Taints that say the same as the node's condition."""
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster at one moment.

    Args:
        nodes: All of its nodes.
        pods: Those that have not ended, in all namespaces.
        flavours: How nodes offer each flavour. Of several that fit a node's resource the first counts.
        pool: The id of this pool, which its servers' pods bear.
        namespace: Where they are.
        memory_gib: Of one device, by flavour.
        kept_free: Nodes on which nothing more is granted for a while, each with the reason in words.
        gone: Nodes that are no more, each since when.
    """

    nodes: tuple[NodeOffer, ...]
    pods: tuple[SeenPod, ...]
    flavours: Mapping[str, FlavourOnNodes]
    pool: str
    namespace: str
    memory_gib: Mapping[str, float] = field(default_factory=dict)
    kept_free: Mapping[str, str] = field(default_factory=dict)
    gone: Mapping[str, datetime] = field(default_factory=dict)

    def is_server(self, pod: SeenPod) -> bool:
        """Whether a pod is a server of this pool with a ticket."""
        return bool(pod.ticket) and (pod.pool, pod.namespace) == (self.pool, self.namespace)


@dataclass(frozen=True, slots=True)
class _Stock:
    """What a node has of a flavour: how many it offers, and the ticket that leases each, by index."""

    node: NodeOffer
    flavour: str
    on_nodes: FlavourOnNodes
    offered: int
    leased: Mapping[int, str]

    @property
    def count(self) -> int:
        """How many devices are told, those among them that are leased and no longer offered."""
        return max([self.offered, *(index + 1 for index in self.leased)])

    @property
    def free(self) -> list[int]:
        return [index for index in range(self.count) if index not in self.leased]


@dataclass(frozen=True, slots=True)
class _Use:
    """Devices that pods take beside the leases of a stock."""

    pods: tuple[SeenPod, ...]
    taken: int


def device_id(node: str, flavour: str, index: int) -> str:
    """Names a device; neither nodes nor flavours have a slash in their names."""
    return f"{node}/{flavour}/{index}"


def inventory_of(view: ClusterView, known: Sequence[Lease] | None) -> Inventory:
    """All devices, which of them to withhold, and how each node stands.

    Without leases, any server of the pool is taken to hold what it uses.
    """
    stocks = list(_stocks(view, known or ()))
    on_node = _by_node(view.pods)
    devices = [each for stock in stocks for each in _devices(stock, view)]
    withheld = {
        id_: why for stock in stocks for id_, why in _withheld(stock, view, on_node.get(stock.node.name, ()), known)
    }
    with_devices = {stock.node.name: stock.node for stock in stocks}
    nodes = [_node(node, on_node.get(node.name, ()), view) for node in with_devices.values()]
    lost = list(_lost_devices(view, known or ()))
    nodes += [Node(name, 0.0, 0.0, Condition.FAILED, view.gone.get(name)) for name in {each.node for each in lost}]
    nodes.sort(key=lambda node: node.name)
    return Inventory(tuple(nodes), (*devices, *lost), tuple(sorted(withheld.items())))


def trespassers_of(view: ClusterView, leases: Sequence[Lease]) -> tuple[Trespasser, ...]:
    """Pods that take devices from leases whose own server is not there yet: a pod that runs has its devices."""
    return tuple(_trespassers(view, leases))


def _trespassers(view: ClusterView, known: Sequence[Lease]) -> Iterator[Trespasser]:
    on_node = _by_node(view.pods)
    for stock in _stocks(view, known):
        pods = on_node.get(stock.node.name, ())
        use = _beside(stock, view, pods, known)
        short = use.taken - (stock.offered - len(stock.leased))
        served = {pod.ticket for pod in pods if view.is_server(pod)}
        waiting = [index for index, ticket in sorted(stock.leased.items()) if ticket not in served]
        for index in waiting[: max(short, 0)]:
            id_, holder = device_id(stock.node.name, stock.flavour, index), stock.leased[index]
            for pod in use.pods:
                ticket = pod.ticket if view.is_server(pod) else None
                yield Trespasser(id_, None, pod.name, pod.namespace, ticket, holder)


def _stocks(view: ClusterView, leases: Sequence[Lease]) -> Iterator[_Stock]:
    leased: dict[tuple[str, str], dict[int, str]] = {}
    for lease in leases:
        for node, flavour, index in _named(lease):
            leased.setdefault((node, flavour), {})[index] = lease.ticket
    for offer in view.nodes:
        given: set[str] = set()
        for flavour, on_nodes in view.flavours.items():
            held = leased.get((offer.name, flavour), {})
            fits = offer.has(selecting_labels(on_nodes)) and on_nodes.resource not in given
            offered = offer.offers(on_nodes.resource) // 1000 if fits else 0
            if offered:
                given.add(on_nodes.resource)
            if offered or held:
                yield _Stock(offer, flavour, on_nodes, offered, held)


def _devices(stock: _Stock, view: ClusterView) -> Iterator[Device]:
    memory = view.memory_gib.get(stock.flavour, 0.0)
    for index in range(stock.count):
        id_ = device_id(stock.node.name, stock.flavour, index)
        yield Device(id_, stock.flavour, stock.node.name, index, memory)


def _withheld(
    stock: _Stock, view: ClusterView, pods: Sequence[SeenPod], leases: Sequence[Lease] | None
) -> Iterator[tuple[str, str]]:
    """Devices that nobody leases and that can't be had, those of the highest index first, each with the reason."""
    free, why_none = stock.free, _none_because(stock, view)
    if why_none:
        short, reason = len(free), why_none
    else:
        use = _beside(stock, view, pods, leases)
        short = len(free) - max(stock.offered - use.taken - len(stock.leased), 0)
        reason = _in_use(use) if use.taken else "Its machine doesn't offer it any more."
    for index in free[len(free) - short :] if short > 0 else ():
        yield device_id(stock.node.name, stock.flavour, index), reason


def _none_because(stock: _Stock, view: ClusterView) -> str:
    """Why a node gives out none of its free devices, in words."""
    taints = (taint for taint in stock.node.taints if taint.key not in _CONDITIONS)
    for taint in taints:
        if taint.keeps_away(stock.on_nodes.tolerations):
            return f"Its machine has the taint {taint.key}, which servers of this kind don't tolerate."
    return view.kept_free.get(stock.node.name, "")


def _beside(stock: _Stock, view: ClusterView, pods: Sequence[SeenPod], leases: Sequence[Lease] | None) -> _Use:
    """What pods of a node take of a stock that no lease of theirs covers."""
    covered: dict[str, int] = {}
    for ticket in stock.leased.values():
        covered[ticket] = covered.get(ticket, 0) + 1
    taking, taken = [], 0
    for pod in pods:
        asked = -(-pod.asks_for(stock.on_nodes.resource) // 1000)
        if view.is_server(pod):
            own = min(asked, covered.get(pod.ticket, 0))
            covered[pod.ticket] = covered.get(pod.ticket, 0) - own
            asked = asked - own if leases is not None else 0
        if asked:
            taking.append(pod)
            taken += asked
    return _Use(tuple(taking), taken)


def _in_use(use: _Use) -> str:
    names = [f"{pod.namespace}/{pod.name}" for pod in use.pods[:_MOST_NAMED]]
    more = len(use.pods) - len(names)
    others = f" and {more} more" if more else ""
    what = "pod" if len(use.pods) == 1 else "pods"
    verb = "uses" if len(use.pods) == 1 else "use"
    return f"The {what} {', '.join(names)}{others} {verb} GPUs of its machine without a lease of the pool."


def _node(offer: NodeOffer, pods: Sequence[SeenPod], view: ClusterView) -> Node:
    """A node: what belongs to it takes CPU and memory for good, what others run there for now."""
    lasting = [pod for pod in pods if pod.lasting]
    others = [pod for pod in pods if not pod.lasting and not view.is_server(pod)]
    cpu, memory = (offer.offers(name) - _asked(lasting, name) for name in (CPU, MEMORY))
    condition, since, why = _condition(offer)
    return Node(
        name=offer.name,
        cpu=cpu / 1000,
        memory_gib=round(memory / _GIB, 3),
        condition=condition,
        since=since,
        why=why,
        cpu_taken=_asked(others, CPU) / 1000,
        memory_gib_taken=round(_asked(others, MEMORY) / _GIB, 3),
    )


def _condition(offer: NodeOffer) -> tuple[Condition, datetime | None, str]:
    if not offer.ready:
        return Condition.SILENT, offer.since, ""
    if offer.closed:
        return Condition.DRAINED, None, "It is cordoned in the cluster."
    return Condition.SERVING, None, ""


def _asked(pods: Iterable[SeenPod], resource: str) -> int:
    return sum(pod.asks_for(resource) for pod in pods)


def _by_node(pods: Iterable[SeenPod]) -> dict[str, list[SeenPod]]:
    on_node: dict[str, list[SeenPod]] = {}
    for pod in pods:
        if pod.node:
            on_node.setdefault(pod.node, []).append(pod)
    return on_node


def _lost_devices(view: ClusterView, leases: Iterable[Lease]) -> Iterator[Device]:
    """Leased devices of nodes that are no more."""
    there = {node.name for node in view.nodes}
    for lease in leases:
        for node, flavour, index in _named(lease):
            if node not in there:
                memory = view.memory_gib.get(flavour, 0.0)
                yield Device(device_id(node, flavour, index), flavour, node, index, memory)


def _named(lease: Lease) -> Iterator[tuple[str, str, int]]:
    """Node, flavour and index of each device of a lease; none for those of another engine's time."""
    for id_ in lease.devices:
        node, _, rest = id_.partition("/")
        flavour, _, index = rest.partition("/")
        if index.isdecimal():
            yield node, flavour, int(index)
