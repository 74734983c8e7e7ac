"""Telling the pool that a person uses the server: once, however often the pool is down meanwhile."""

from __future__ import annotations

import asyncio
from logging import Logger, LoggerAdapter
from typing import Any, Protocol, TypeAlias

from labpool.client import PoolRefused, PoolUnavailable

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 15.0
Log: TypeAlias = "Logger | LoggerAdapter[Any]"  # quoted: no subscript on LoggerAdapter before Python 3.11


class ClaimsTickets(Protocol):
    """The part of the pool's client that is needed here."""

    async def claim(self, ticket: str) -> None:
        """Claim a ticket."""


class FirstUse:
    """Claims the server's ticket at the first use.

    Args:
        pool: the pool's client, with the ticket's own token.
        ticket: the ticket's id.
        log: where to say what happened.
    """

    def __init__(self, pool: ClaimsTickets, ticket: str, log: Log) -> None:
        self._pool, self._ticket, self._log = pool, ticket, log
        self._claiming: asyncio.Task[None] | None = None

    def happened(self) -> None:
        """Note a use by a person; all but the first are already known."""
        if self._claiming is None:
            self._claiming = asyncio.get_running_loop().create_task(self._claim())

    def stop(self) -> None:
        """Give up what is not said yet."""
        if self._claiming is not None:
            self._claiming.cancel()

    async def _claim(self) -> None:
        wait = _FIRST_WAIT_SECONDS
        while not await self._is_said():
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    async def _is_said(self) -> bool:
        try:
            await self._pool.claim(self._ticket)
        except PoolUnavailable as error:
            self._log.warning("The pool can't be told that this server is used; it is tried again. %s", error)
            return False
        except PoolRefused as error:
            self._log.error("The pool doesn't take this server's claim: %s", error)
            return True
        self._log.info("The pool knows that this server is used (ticket %s).", self._ticket)
        return True
