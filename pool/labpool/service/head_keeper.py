"""Writing the last row of the audit trail down in a second place, hourly and when the pool stops."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta

from labpool.service.desk import Desk
from labpool.service.second_place import SecondPlace
from labpool.store import Head, NotLeading, StoreUnavailable, head_line

_LOG = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
_LOOKS_EVERY = 60.0


class HeadKeeper:
    """Keeps the trail's head where who can write the database can't reach it.

    Args:
        desk: Whose trail it is.
        place: Takes a line. Where it fails that is logged, and the pool goes on until the next time.
    """

    def __init__(self, desk: Desk, place: SecondPlace) -> None:
        self._desk, self._place = desk, place
        self._written: Head | None = None
        self._looked_at: datetime | None = None

    async def run(self) -> None:
        """Write the head as soon as there is one, then hourly where there are more rows, and at last when cancelled."""
        try:
            await self._keep_writing()
        finally:
            with suppress(NotLeading, StoreUnavailable):
                await self.write()

    async def _keep_writing(self) -> None:
        count = 0
        while True:
            now = self._desk.clock()
            if self._is_due(now) and await self.write():
                self._looked_at = now
            count = await self._desk.changes.after(count, _LOOKS_EVERY)

    def _is_due(self, now: datetime) -> bool:
        """Whether an hour has passed, or the clock went back and nobody knows how much has."""
        return self._looked_at is None or not self._looked_at <= now < self._looked_at + EVERY

    async def write(self) -> bool:
        """Write the head; False where the trail has no row since the last one."""
        head = Head(self._desk.clock(), await self._desk.view(lambda view: view.audited()))
        if head.link.number == 0 or (self._written is not None and self._written.link == head.link):
            return False
        await self._try_to_write(head)
        return True

    async def _try_to_write(self, head: Head) -> None:
        try:
            await asyncio.to_thread(self._place, head_line(head))
        except OSError as error:
            _LOG.error("the head of the audit trail can't be written to its second place: %s", error)
            return
        self._written = head
