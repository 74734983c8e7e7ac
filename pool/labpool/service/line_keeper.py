"""Between the pool and an engine with a queue of its own: shows it who waits, and carries out what it decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from labpool.domain.tickets import HOLDING
from labpool.domain.verdicts import Verdicts
from labpool.engines import EngineLine
from labpool.service.desk import Desk
from labpool.store import Transaction

_IDLE, _REST = 5.0, 0.1
"""Longest and shortest time between two turns, in seconds."""


class LineKeeper:
    """Goes on for as long as the process leads.

    Args:
        desk: Where tickets are, and decisions made.
        line: Whose verdicts count.
        look_soon: Called when a server is to be started, or to be stopped.
    """

    def __init__(self, desk: Desk, line: EngineLine, look_soon: Callable[[], None]) -> None:
        self._desk, self._line, self._look_soon = desk, line, look_soon
        self._woken = asyncio.Event()
        self._carried_out: Verdicts | None = None
        line.changed = self._woken.set
        desk.verdicts = lambda: line.verdicts

    async def run(self) -> None:
        """Keep the line until cancelled."""
        while True:
            count = self._desk.changes.count
            self._woken.clear()
            await self.turn()
            await asyncio.sleep(_REST)
            await self._until_something_changed(count)

    async def turn(self) -> None:
        """Carry out what the engine has decided since the last time, then show it who waits now."""
        verdicts = self._line.verdicts
        if verdicts != self._carried_out:
            before = await self._desk.view(_held)
            await self._desk.change(lambda _: None)  # to decide is part of each change
            self._carried_out = verdicts
            if await self._desk.view(_held) != before:
                self._look_soon()
        await self._line.keep(lambda: self._desk.view(self._desk.world))

    async def _until_something_changed(self, count: int) -> None:
        changed = asyncio.ensure_future(self._desk.changes.after(count, _IDLE))
        waits = (changed, asyncio.ensure_future(self._woken.wait()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()


def _held(view: Transaction) -> frozenset[tuple[str, str]]:
    return frozenset((ticket.id, ticket.state.value) for ticket in view.open_tickets() if ticket.state in HOLDING)
