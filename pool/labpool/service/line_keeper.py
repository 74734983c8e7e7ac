"""Between the pool and an engine with a queue of its own: shows it who waits, and carries out what it decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from labpool.domain.tickets import State
from labpool.domain.verdicts import Verdicts
from labpool.engines import EngineLine
from labpool.service.desk import Desk
from labpool.store import Transaction

_IDLE, _LONGEST_REST = 5.0, 0.1
"""Longest time between two turns, and longest rest between them, in seconds; one that was short needs a short one."""


class LineKeeper:
    """Goes on for as long as the process leads. What the engine decides is carried out also while the line is kept.

    Args:
        desk: Where tickets are, and decisions made.
        line: Whose verdicts count.
        look_soon: Called when a server is to be stopped.
    """

    def __init__(self, desk: Desk, line: EngineLine, look_soon: Callable[[], None]) -> None:
        self._desk, self._line, self._look_soon = desk, line, look_soon
        self._decided, self._woken = asyncio.Event(), asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._carried_out: Verdicts | None = None
        line.changed = self._wake
        desk.verdicts = lambda: line.verdicts

    async def run(self) -> None:
        """Keep the line until cancelled."""
        carrying = asyncio.ensure_future(self._carry_out_what_comes())
        clock = asyncio.get_running_loop().time
        try:
            while True:
                count, began = self._desk.changes.count, clock()
                self._woken.clear()
                await self.turn()
                await asyncio.sleep(min(clock() - began, _LONGEST_REST))
                await self._until_something_changed(count, carrying)
        finally:
            carrying.cancel()

    async def turn(self) -> None:
        """Carry out what the engine has decided since the last time, then show it who waits now."""
        await self._carry_out()
        # in its turn at the desk: what was decided by earlier verdicts is written by then
        await self._line.keep(lambda: self._desk.change(self._desk.world, replan=False, shown=False))

    async def _carry_out_what_comes(self) -> None:
        while True:
            await self._decided.wait()
            self._decided.clear()
            await self._carry_out()

    async def _carry_out(self) -> None:
        async with self._one_at_a_time:
            verdicts = self._line.verdicts
            if verdicts is self._carried_out:
                return
            before = await self._desk.view(_taken)
            await self._desk.change(lambda _: None)  # to decide is part of each change
            self._carried_out = verdicts
            if await self._desk.view(_taken) != before:
                self._look_soon()

    def _wake(self) -> None:
        self._decided.set()
        self._woken.set()

    async def _until_something_changed(self, count: int, carrying: asyncio.Future[None]) -> None:
        changed = asyncio.ensure_future(self._desk.changes.after(count, _IDLE))
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait((changed, woken, carrying), return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            woken.cancel()
        if carrying.done():
            carrying.result()  # it goes on until it fails


def _taken(view: Transaction) -> frozenset[str]:
    tickets = (view.ticket(lease.ticket) for lease in view.live_leases())
    return frozenset(ticket.id for ticket in tickets if ticket is not None and ticket.state is State.RECLAIMING)
