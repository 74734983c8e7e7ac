"""What every engine can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease
from labpool.domain.verdicts import Verdicts
from labpool.domain.world import World

Bearer = int | str
"""What bears a ticket: a process by its number, a pod by its name."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; what it can't, the API says."""

    commitments: bool
    advance_reservations: bool
    device_ids: bool
    extend: bool


@dataclass(frozen=True, slots=True)
class Trespasser:
    """A process on a device that it holds no lease of, or a pod.

    `ticket` is the one whose server it belongs to, None for one of no server; `holder` is the ticket that leases the
    device, None where nobody does. A pod has no `pid`, and its name is the `program`. `owner` is the name of a
    process's account on the machine, or a pod's namespace.
    """

    device: str
    pid: int | None
    program: str
    owner: str
    ticket: str | None
    holder: str | None


class EngineLine(Protocol):
    """The queue of an engine that decides itself whose turn it is."""

    verdicts: Verdicts
    """What it has decided."""
    changed: Callable[[], None]
    """Called when that has changed; whoever carries it out sets it."""

    async def keep(self, look: Callable[[], Awaitable[World]]) -> None:
        """Let those stand in it who wait, and nobody else; what can't be done now is done the next time.

        `look` gives the world as it is then; it is asked again before anything is taken away from anybody.
        """


class Engine(ABC):
    """Provides devices. It translates between the machines and the domain; it decides nothing."""

    capabilities: Capabilities
    changed: Callable[[], None] = staticmethod(lambda: None)
    """Called when something happened that is worth a look; whoever looks round sets it."""
    line: EngineLine | None = None
    """Given where the engine has a queue of its own, and decides in the planner's place."""

    @property
    @abstractmethod
    def trouble(self) -> str | None:
        """What keeps the engine from seeing its devices at the moment, in words, or None."""

    @abstractmethod
    async def inventory(self, leases: Iterable[Lease] | None = None) -> Inventory:
        """All devices, which of them to withhold, and how each node stands.

        A node that was lost serves again only once nothing of before can run on it any more: it answers, it was fenced,
        or an admin says so. With the live `leases`, a device is withheld while anything runs on it that has no lease of
        that device; without them, while something runs on it that belongs to no server of this pool.
        """

    @abstractmethod
    async def processes(self) -> Mapping[str, tuple[Bearer, ...]]:
        """Ticket id to what lives of its server: processes, with all that they started, or pods."""

    @abstractmethod
    async def terminate(self, ticket: str) -> tuple[Bearer, ...]:
        """Ask what lives of `ticket` to end (SIGTERM). Returns those that were asked."""

    @abstractmethod
    async def kill(self, ticket: str) -> tuple[Bearer, ...]:
        """End what lives of `ticket` (SIGKILL) and wait until it is gone. Returns those that won't go."""

    @abstractmethod
    async def trespassers(self, leases: Iterable[Lease]) -> tuple[Trespasser, ...]:
        """Processes or pods on devices that they hold no lease of."""

    async def unplaced(self) -> Mapping[str, datetime]:
        """Tickets whose server was started and finds no room on the node of its lease, each since when."""
        return {}

    async def give_up(self, lease: Lease) -> tuple[Bearer, ...]:
        """End what waits for room on the node of a lease, which is given back for that; for a while none is offered.

        Returns what won't go: then the lease stays, or it would find room later on devices of somebody else.
        """
        return await self.kill(lease.ticket)

    async def forget(self, ticket: str) -> None:  # noqa: B027 (most see nothing of a node that is lost)
        """Let what is still known of `ticket` on a node that isn't heard of stand in no new server's way."""

    async def close(self) -> None:  # noqa: B027 (most hold nothing open)
        """Let go of whatever is held open; nothing is asked of the engine afterwards."""
