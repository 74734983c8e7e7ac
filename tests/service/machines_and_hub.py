"""Machines and a hub in memory, for histories that are too many for real ones; they say no more than those would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from labpool.api_models import SpawnAsked
from labpool.domain.inventory import LOST, Condition, Inventory
from labpool.domain.leases import Lease
from labpool.domain.reasons import Refusal
from labpool.domain.tickets import Ticket
from labpool.engines import Capabilities, Engine, Trespasser
from labpool.hub_api import HubRefused, HubServer, HubUnavailable
from labpool.service.asking import Holds, Waits

from tests.domain.machines import Machines
from tests.domain.rules import DEVICES

if TYPE_CHECKING:
    from tests.service.pool_history import PoolHistory

_NODE_OF = {device.id: device.node for device in DEVICES}


class MachineRoom(Engine):
    """Machines on which each server is one process. One that is `stuck` ends for no signal."""

    capabilities = Capabilities(commitments=True, advance_reservations=True, device_ids=True, extend=True)
    trouble = None

    def __init__(self) -> None:
        self.machines = Machines()
        self.broken: set[str] = set()
        self.running: dict[str, str] = {}
        self.stuck: set[str] = set()

    def run(self, lease: Lease) -> None:
        """Start a lease's server on its node."""
        self.running[lease.ticket] = _NODE_OF[lease.devices[0]]

    def fail(self, number: int, other: int, now: datetime) -> None:
        """A node falls silent or fails; of what ran on one that has failed nothing is left."""
        self.machines.fail(number, other, now)
        failed = {name for name, node in self.machines.nodes.items() if node.condition is Condition.FAILED}
        self.running = {ticket: node for ticket, node in self.running.items() if node not in failed}

    def lost(self, ticket: str) -> bool:
        """Whether the node that a ticket's server runs on is not heard of."""
        node = self.running.get(ticket)
        return node is not None and self.machines.nodes[node].condition in LOST

    async def inventory(self, leases: Iterable[Lease] | None = None) -> Inventory:
        """All devices; broken ones are withheld."""
        return self.machines.inventory(tuple((device, "lost") for device in sorted(self.broken)))

    async def processes(self) -> dict[str, tuple[int, ...]]:
        """Those of nodes that are heard of."""
        return {ticket: (1,) for ticket in self.running if not self.lost(ticket)}

    async def terminate(self, ticket: str) -> tuple[int, ...]:
        """End the process of a ticket, if it can be reached and is not stuck."""
        found = (await self.processes()).get(ticket, ())
        if found and ticket not in self.stuck:
            del self.running[ticket]
        return found

    async def kill(self, ticket: str) -> tuple[int, ...]:
        """The same; those that are still there."""
        await self.terminate(ticket)
        return (await self.processes()).get(ticket, ())

    async def trespassers(self, leases: Iterable[Lease]) -> tuple[Trespasser, ...]:
        """None: nobody uses these machines past the hub."""
        return ()


class HubInMemory:
    """Servers by user and name. For each start it asks the pool, and of each stop it tells the pool, as our spawner."""

    def __init__(self, history: PoolHistory) -> None:
        self._history = history
        self.answers = True
        self._up: dict[tuple[str, str], Ticket] = {}

    def running(self) -> list[tuple[str, str]]:
        """Users and names of all servers."""
        return list(self._up)

    async def servers(self) -> dict[tuple[str, str], HubServer]:
        """All servers, each ready at once; the hub looks which of them still run."""
        self._check_answers()
        self._up = {server: up for server, up in self._up.items() if up.id in self._history.room.running}
        return {(user, name): HubServer(user, name, True, "", up.profile) for (user, name), up in self._up.items()}

    async def start(self, user: str, name: str, options: Mapping[str, object]) -> None:
        """Start a server for the pool."""
        self._check_answers()
        match await self.spawn(SpawnAsked(user=user, name=name, granted_only=True, **options)):
            case Waits():
                raise HubRefused(503, "it waits")
            case Refusal() as refusal:
                raise HubRefused(409, refusal.message, refusal.reason.value)

    async def spawn(self, asked: SpawnAsked) -> Holds | Waits | Refusal:
        """What the spawner does when a server is to start; an exception is what the hub would count as a failure."""
        answered = await self._history.desk.ask(asked)
        if isinstance(answered, Holds):
            await self._history.reconciler.clear_leftovers(answered.ticket)
            await self._run(answered.ticket, answered.lease)
            self._up[asked.user, asked.name] = answered.ticket
        return answered

    async def stop(self, user: str, name: str) -> None:
        """Stop a server; nothing happens where it doesn't run."""
        self._check_answers()
        up = self._up.pop((user, name), None)
        if up is not None:
            await self._end(up)
            await self._history.reconciler.stopped(up.id, user)

    async def _run(self, ticket: Ticket, lease: Lease) -> None:
        self._history.room.run(lease)

    async def _end(self, ticket: Ticket) -> None:
        await self._history.room.terminate(ticket.id)

    def _check_answers(self) -> None:
        if not self.answers:
            raise HubUnavailable("the hub is down")
