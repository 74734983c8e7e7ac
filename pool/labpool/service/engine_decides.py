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
_PATIENT_AT_ONCE = 8
"""As many as a hub lets ask at once. Of more the others are told at once that they wait."""


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
        self._desk, self._answers = desk, True

    @property
    def _patient(self) -> int:
        """So many may wait: one after another where the engine told nothing at all, for who asks next waits too."""
        return _PATIENT_AT_ONCE if self._answers else 1

    async def ask(self, asked: SpawnAsked) -> Holds | Waits | Refused:
        """The answer of `Desk.ask`, as it is once the engine has decided, or a second later."""
        found = await self._desk.ask(asked)
        askers, known = self._desk.changes.askers, self._desk.verdicts()
        if not isinstance(found, Waits) or known is None or askers.total() >= self._patient:
            return found
        ticket = found.ticket.id
        askers[ticket] += 1
        try:
            is_decided = await self._is_decided_soon(ticket)
            self._answers = is_decided or self._desk.verdicts() is not known  # busy with others is not silent
            # what is granted while it is among them nobody else starts
            return found if await self._desk.find_lease(ticket) is None else await self._desk.ask(asked)
        finally:
            askers[ticket] -= 1
            if not askers[ticket]:
                del askers[ticket]

    async def _is_decided_soon(self, ticket: str) -> bool:
        """Whether it gets a lease within a moment, or the engine says why it has none."""
        clock = asyncio.get_running_loop().time
        until = clock() + _MOMENT
        while (left := until - clock()) > 0:
            count, verdicts = self._desk.changes.count, self._desk.verdicts()
            if await self._desk.find_lease(ticket) is not None:
                return True
            verdict = verdicts.of.get(ticket) if verdicts else None
            if verdict is not None and verdict.why is not None:
                return True
            await self._desk.changes.after(count, left)
        return False
