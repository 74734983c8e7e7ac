"""One machine: its cards by NVML, or simulated ones where it has none, and its processes by /proc."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Iterable

from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease
from labpool.engines.card_memory import CardMemory
from labpool.engines.card_use import trespassers_among, unlisted_reasons, uses_of, withheld_reasons
from labpool.engines.engine import Capabilities, Engine, Trespasser
from labpool.engines.found_devices import devices_of, this_node
from labpool.engines.nvml import Card, Nvml, NvmlUnavailable
from labpool.engines.patience import Patient, StillWaiting
from labpool.engines.proc import ProcessTable
from labpool.settings import Place, PoolFile

_log = logging.getLogger("labpool.engines")

_KILL_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.1


class WorkstationEngine(Engine):
    """Devices of the machine this runs on.

    Whether they are real or simulated is decided at the first look and holds until a restart: a driver that comes or
    goes must not swap the devices under running leases. Real ones are remembered in the data folder.
    """

    capabilities = Capabilities(commitments=True, advance_reservations=True, device_ids=True, extend=True)

    def __init__(
        self,
        pool_file: PoolFile,
        place: Place,
        pool_id: str,
        *,
        patience_seconds: float = 20.0,
        silence_seconds: float = 60.0,
    ) -> None:
        """Look after the devices of this machine for one pool.

        Args:
            pool_file: names flavours and simulated devices.
            place: the data folder.
            pool_id: tells this pool's processes from another's.
            patience_seconds: longest wait for one answer of the driver.
            silence_seconds: how long devices are still granted after the driver's last answer.
        """
        self._pool_file = pool_file
        self._memory = CardMemory(place.root / "cards.json")
        self._table = ProcessTable(pool_id)
        self._driver = Patient(Nvml().read, patience_seconds)
        self._silence_seconds = silence_seconds
        self._cards: dict[str, Card] = {}
        self._answering: frozenset[str] = frozenset()
        self._heard = float("-inf")
        self._simulated = False
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """What keeps the driver or a card from answering, or None."""
        return self._trouble

    async def inventory(self, leases: Iterable[Lease] | None = None) -> Inventory:
        """All devices, and which of them to withhold.

        Where the driver stops answering, the last known devices stay, and are withheld once it has been silent for
        `silence_seconds`. A card that it lost is withheld at once.
        """
        await self._look()
        if self._simulated:
            return Inventory(self._pool_file.simulated_nodes, self._pool_file.simulated_devices)
        uses = await asyncio.to_thread(uses_of, tuple(self._cards.values()), self._table)
        devices = devices_of(self._cards.values(), self._pool_file.patterns)
        withheld = withheld_reasons(uses, leases) | unlisted_reasons(self._cards.values()) | self._silent_cards()
        shown = {device.id for device in devices}
        return Inventory((this_node(),), devices, tuple((id_, why) for id_, why in withheld.items() if id_ in shown))

    async def processes(self) -> dict[str, tuple[int, ...]]:
        """Ticket id to the live processes of its server and all that it started."""
        return await asyncio.to_thread(self._table.by_ticket)

    async def terminate(self, ticket: str) -> tuple[int, ...]:
        """Ask the processes of `ticket` to end (SIGTERM). Returns those that were asked."""
        return await asyncio.to_thread(self._table.send, ticket, signal.SIGTERM)

    async def kill(self, ticket: str) -> tuple[int, ...]:
        """End the processes of `ticket` (SIGKILL) and wait up to 10 s until they are gone.

        Returns:
            Those that won't go, because a driver holds them or they are not ours to end.
        """
        deadline = time.monotonic() + _KILL_SECONDS
        left = await asyncio.to_thread(self._table.send, ticket, signal.SIGKILL)
        while left and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            left = await asyncio.to_thread(self._table.send, ticket, signal.SIGKILL)
        return left

    async def trespassers(self, leases: Iterable[Lease]) -> tuple[Trespasser, ...]:
        """Processes on devices that they hold no lease of; simulated devices have none."""
        await self._look()
        uses = await asyncio.to_thread(uses_of, tuple(self._cards.values()), self._table)
        return tuple(trespassers_among(uses, leases))

    async def _look(self) -> None:
        """Bring the cards up to date; where there never was one, fall back on simulated devices."""
        if self._simulated:
            return
        try:
            trouble = self._note(await self._driver())
        except (NvmlUnavailable, StillWaiting) as error:
            trouble = f"The NVIDIA driver doesn't answer: {error}"
        if not self._cards:
            self._fall_back()
        self._say(None if self._simulated else trouble)

    def _note(self, found: tuple[Card, ...]) -> str | None:
        """Take the driver's answer in; returns what is wrong with it."""
        for card in found:
            if card.sliced and card.uuid not in self._cards:
                _log.warning("%s (%s) is split into MIG slices; not leased.", card.product, card.uuid)
        self._heard = time.monotonic()
        self._answering = frozenset(card.uuid for card in found)
        self._cards.update({card.uuid: card for card in found})
        if found:
            self._memory.keep(tuple(self._cards.values()))
        lost = [uuid for uuid in self._cards if uuid not in self._answering]
        return f"The NVIDIA driver lost {', '.join(lost)}" if lost else None

    def _fall_back(self) -> None:
        self._cards = {card.uuid: card for card in self._memory.recall()}
        # with nothing to stand in, go on looking: the driver may come up after us
        self._simulated = not self._cards and bool(self._pool_file.simulated_devices)
        if self._simulated:
            _log.info("No GPU found; going on with %d simulated ones.", len(self._pool_file.simulated_devices))

    def _silent_cards(self) -> dict[str, str]:
        silent = time.monotonic() - self._heard > self._silence_seconds
        why = "The NVIDIA driver doesn't answer." if silent else "The NVIDIA driver no longer answers for this card."
        return {uuid: why for uuid in self._cards if silent or uuid not in self._answering}

    def _say(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            _log.log(logging.WARNING if trouble else logging.INFO, "%s", trouble or "All GPUs answer again")
        self._trouble = trouble
