"""Being the one pool process that decides, or standing by until it is this one's turn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from labpool.service.reconciler import Reconciler
from labpool.store import Leadership, Seat, StoreUnavailable

_LOG = logging.getLogger(__name__)
_SEEK_SECONDS = 1.5
"""Between two signs of life; several fit into the time that a leader has."""


class Activity(Protocol):
    """Something that goes on for as long as the process leads."""

    async def run(self) -> None:
        """Go on until cancelled."""


class Leading:
    """Keeps asking whether this process leads, and while it does reconciles and does the rest that only one may do.

    One that has led and is replaced ends: what it remembers is not to be trusted, and begun anew it stands by.

    Args:
        leadership: This process's part in the question.
        reconciler: What only a leader does, and has begun before anything is asked of it.
        activities: What only a leader does besides.
        end: Called once another process leads in this one's place.
    """

    def __init__(
        self, leadership: Leadership, reconciler: Reconciler, activities: Sequence[Activity], end: Callable[[], None]
    ) -> None:
        self._leadership, self._reconciler, self._end = leadership, reconciler, end
        self._activities = activities
        self._seat = Seat(False, "")
        self._tasks: list[asyncio.Task[None]] = []
        self._begun = asyncio.Event()
        self._replaced = False

    @property
    def leads(self) -> bool:
        """Whether this process decides, and has begun to."""
        return self._seat.leads and self._begun.is_set() and not self._replaced

    @property
    def leader(self) -> str:
        """Who leads, as far as this process knows; empty where nobody is known to."""
        return self._seat.leader

    async def start(self) -> None:
        """Lead where nobody does, else stand by; from now on until `stop`."""
        await self._seek()
        self._tasks.append(asyncio.create_task(self._keep_seeking()))  # also while it begins, or it would be replaced
        if self._seat.leads:
            await self._begun.wait()

    async def stop(self) -> None:
        """Stop deciding, and let another one lead at once."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self._seat.leads:
            try:
                await asyncio.to_thread(self._leadership.give_up)
            except StoreUnavailable as error:
                _LOG.warning("another pool has to wait before it can lead: %s", error)

    async def _keep_seeking(self) -> None:
        while not self._replaced:
            await asyncio.sleep(_SEEK_SECONDS)
            try:
                await self._seek()
            except StoreUnavailable as error:
                _LOG.warning("whether this pool leads can't be asked: %s", error)
            except Exception:
                _LOG.exception("asking whether this pool leads failed; trying again")

    async def _seek(self) -> None:
        before, self._seat = self._seat, await asyncio.to_thread(self._leadership.seek)
        if self._seat.leads and not before.leads:
            _LOG.info("this pool leads now", extra={"leader": self.leader})
            self._tasks.append(asyncio.create_task(self._lead()))
        elif before.leads and not self._seat.leads:
            _LOG.error("another pool leads in place of this one, which ends", extra={"leader": self.leader})
            self._replaced = True
            self._end()

    async def _lead(self) -> None:
        try:
            await self._reconciler.begin()
        except Exception:
            _LOG.exception("what runs without a lease could not be ended at once; each look round tries again")
        self._begun.set()
        self._tasks += [asyncio.create_task(_keep_up(each)) for each in self._activities]
        await self._reconciler.run()


async def _keep_up(activity: Activity) -> None:
    while True:
        try:
            await activity.run()
        except Exception:
            _LOG.exception(
                "what only a leader does broke off; it begins anew", extra={"activity": type(activity).__name__}
            )
        await asyncio.sleep(_SEEK_SECONDS)
