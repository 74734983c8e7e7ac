"""Writing the last row of the audit trail down in a second place, hourly and when the pool stops."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from labpool.service.desk import Desk
from labpool.service.second_place import SecondPlace
from labpool.store import Head, head_line

_LOG = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
_LOOKS_EVERY = 60.0


class HeadKeeper:
    """Keeps the trail's head where who can write the database can't reach it.

    Args:
        desk: Whose trail it is.
        place: Takes a line. Where it fails that is logged and tried again: the pool goes on without it.
    """

    def __init__(self, desk: Desk, place: SecondPlace) -> None:
        self._desk, self._place = desk, place
        self._written: Head | None = None
        self._due_at: datetime | None = None

    async def run(self) -> None:
        """Write the head at once and then hourly, until cancelled."""
        count = 0
        while True:
            now = self._desk.clock()
            if self._due_at is None or now >= self._due_at:
                await self.write()
                self._due_at = now + EVERY
            count = await self._desk.changes.after(count, _LOOKS_EVERY)

    async def write(self) -> None:
        """Write the head unless the trail has grown by nothing since the last time."""
        head = Head(self._desk.clock(), await self._desk.view(lambda view: view.audited()))
        if head.link.number == 0 or (self._written and self._written.link == head.link):
            return
        try:
            await asyncio.to_thread(self._place, head_line(head))
        except OSError as error:
            _LOG.error("the head of the audit trail can't be written to its second place: %s", error)
            return
        self._written = head
