"""What every engine can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; what it can't, the API says."""

    commitments: bool
    advance_reservations: bool
    device_ids: bool
    extend: bool


@dataclass(frozen=True, slots=True)
class Trespasser:
    """A process on a device that it holds no lease of.

    `ticket` is the one whose server the process belongs to, None for a process of no server; `holder` is the ticket
    that leases the device, None where nobody does. `owner` is the name of the process's account on the machine.
    """

    device: str
    pid: int
    program: str
    owner: str
    ticket: str | None
    holder: str | None


class Engine(ABC):
    """Provides devices. It translates between the machines and the domain; it decides nothing."""

    capabilities: Capabilities

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
    async def processes(self) -> dict[str, tuple[int, ...]]:
        """Ticket id to the live processes of its server and all that it started."""

    @abstractmethod
    async def terminate(self, ticket: str) -> tuple[int, ...]:
        """Ask the processes of `ticket` to end (SIGTERM). Returns those that were asked."""

    @abstractmethod
    async def kill(self, ticket: str) -> tuple[int, ...]:
        """End the processes of `ticket` (SIGKILL) and wait until they are gone. Returns those that won't go."""

    @abstractmethod
    async def trespassers(self, leases: Iterable[Lease]) -> tuple[Trespasser, ...]:
        """Processes on devices that they hold no lease of."""
