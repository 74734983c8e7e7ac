"""Why it isn't a ticket's turn, where an engine with a queue of its own says so."""

from __future__ import annotations

from labpool.domain.reasons import Wait, WaitReason
from labpool.domain.tickets import Ticket
from labpool.domain.verdicts import Verdicts


def no_turn(ticket: Ticket, verdicts: Verdicts, free: int) -> Wait | None:
    """What the engine itself names, or who comes first; None where it only lacks devices, of which so many are free."""
    verdict = verdicts.of.get(ticket.id)
    if verdict is None or not verdicts.heard:
        return Wait(WaitReason.UNDECIDED)
    is_so = verdict.why is not WaitReason.NO_ROOM or free >= ticket.gpus
    if verdict.why not in (None, WaitReason.DEVICES) and is_so:
        return Wait(verdict.why)
    ahead = (verdict.place or 1) - 1
    return Wait(WaitReason.BEHIND_OTHERS, ahead=ahead) if ahead and not verdict.gives(ticket) else None


def out_of_sight(ticket: Ticket, verdicts: Verdicts) -> Wait:
    """What is left where the pool itself sees enough devices that are free."""
    others = verdicts.others.get(ticket.flavour, 0)
    return Wait(WaitReason.USED_ELSEWHERE, missing=others) if others else Wait(WaitReason.UNDECIDED)
