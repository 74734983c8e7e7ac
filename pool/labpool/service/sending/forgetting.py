"""Forgetting what was sent long ago. The notices themselves stay, with their tickets."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from labpool.service.desk import Desk

KEPT = timedelta(days=90)
"""So long an admin can look up what became of a delivery: longer than anybody asks for a mail that did not come."""

_EVERY = 3600.0
_AT_ONCE = 1000
_LOG = logging.getLogger(__name__)


async def keep_forgetting(desk: Desk) -> None:
    """Remove old deliveries hourly until cancelled."""
    while True:
        try:
            await forget_old(desk)
        except Exception:
            _LOG.exception("old deliveries can't be removed; trying again")
        await asyncio.sleep(_EVERY)


async def forget_old(desk: Desk) -> None:
    """Remove deliveries that were done too long ago, so few at once that no decision waits for it."""
    before = desk.clock() - KEPT
    while await desk.view(lambda view: view.outbox.has_done(before)):
        await desk.change(lambda change: change.outbox.forget(before, _AT_ONCE), replan=False, shown=False)
