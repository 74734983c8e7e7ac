"""What is other where an engine with a queue of its own decides: what it can't do, and that it takes a moment."""

from __future__ import annotations

import asyncio

from labpool.api_models import SpawnAsked
from labpool.domain.reasons import Refusal as Refused
from labpool.hub_signin import Refusal
from labpool.service.asking import Holds, Waits
from labpool.service.desk import Desk
from labpool.service.problems import Rejected

_MOMENT = 1.0
"""Seconds: mostly it decides sooner, and longer nobody's browser is kept."""
_PATIENT_AT_ONCE = 4
"""Of many that ask at once the others are told at once that they wait, so that none is kept in a queue for that."""


def only_a_planner_can(desk: Desk, what: str, remedy: str) -> None:
    """Go on only where the pool itself plans.

    Args:
        desk: Where it would be done.
        what: What that is, as in "so … is not possible".
        remedy: What helps.

    Raises:
        Rejected: the engine decides who is next.
    """
    if desk.verdicts() is not None:
        said = f"The cluster's own queue decides who is next, so {what} is not possible with this engine."
        raise Rejected(Refusal(409, "engine_cannot", "This engine cannot", said, remedy))


class PatientAsking:
    """Asks the desk for a server's lease, and waits a moment for the engine's word where it decides."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._waiting = desk, 0

    async def ask(self, asked: SpawnAsked) -> Holds | Waits | Refused:
        """The answer of `Desk.ask`, as it is once the engine has decided, or a second later."""
        found = await self._desk.ask(asked)
        if not isinstance(found, Waits) or self._desk.verdicts() is None or self._waiting >= _PATIENT_AT_ONCE:
            return found
        ticket, askers = found.ticket.id, self._desk.changes.askers
        self._waiting += 1
        askers.add(ticket)
        try:
            await self._until_decided(ticket)
        finally:
            self._waiting -= 1
            askers.discard(ticket)
        # what was granted while it was among them nobody else starts
        return found if await self._desk.find_lease(ticket) is None else await self._desk.ask(asked)

    async def _until_decided(self, ticket: str) -> None:
        """Return once it has got a lease, the engine has said why it has none, or a moment later."""
        clock = asyncio.get_running_loop().time
        until = clock() + _MOMENT
        while (left := until - clock()) > 0:
            count, verdicts = self._desk.changes.count, self._desk.verdicts()
            if await self._desk.find_lease(ticket) is not None:
                return
            verdict = verdicts.of.get(ticket) if verdicts else None
            if verdict is not None and verdict.why is not None:
                return
            await self._desk.changes.after(count, left)
