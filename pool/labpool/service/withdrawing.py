"""Draining and fencing machines: an admin says so, is asked first where promises would break, and it is kept."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from labpool.api_models import Confirmation, DrainAsked, FenceAsked
from labpool.domain.breaking import newly_broken
from labpool.domain.inventory import Condition, Inventory, Node
from labpool.domain.reserving import Consequences
from labpool.domain.withdrawals import Act, Withdrawal, with_withdrawals
from labpool.hub_signin import Refusal, SignedIn
from labpool.service.desk import Desk
from labpool.service.harm import accepted, question
from labpool.service.problems import Rejected
from labpool.service.trail import note
from labpool.store import Transaction

_NAMES = "Machines and GPUs are listed at /services/pool/api/v1/devices."


async def drain(desk: Desk, asked: DrainAsked, user: SignedIn) -> Withdrawal:
    """Let nothing new start on a machine or a GPU; what runs there runs on.

    Raises:
        Rejected: there is no such machine or GPU, it is drained already, the end is no time to come, or promises would
            break and nobody has confirmed how many.
    """
    now = desk.clock()
    if asked.until is not None and asked.until <= now:
        raise Rejected(_refused(422, "not_a_time", "The end is over already.", "Name a time to come, or none."))
    made = replace(_withdrawal(Act.DRAIN, asked.node, asked.why, user, now), device=asked.device, until=asked.until)
    return await _withdraw(desk, made, asked.confirm)


async def fence(desk: Desk, asked: FenceAsked, user: SignedIn) -> Withdrawal:
    """Confirm that nothing of before runs on a silent machine: its leases are settled, and others may follow on it.

    Raises:
        Rejected: there is no such machine, or it answers.
    """
    return await _withdraw(desk, _withdrawal(Act.FENCE, asked.node, asked.why, user, desk.clock()), None)


async def undrain(desk: Desk, withdrawal: str, user: SignedIn) -> None:
    """Put a drained machine or GPU into service again.

    Raises:
        Rejected: nothing drained has this id (any more).
    """

    def write(change: Transaction) -> bool:
        found = next((each for each in change.acts().withdrawals if each.id == withdrawal), None)
        if found is None or found.act is not Act.DRAIN:
            return False
        change.end_act(found.id, desk.clock(), user.name)
        note(change, desk.clock(), user.name, "undrained", None, f"{found.id}: {found.what}")
        return True

    if not await desk.change(write):
        detail = "Nothing that is drained has this id; it is in service again."
        raise Rejected(_refused(404, "no_such_drain", detail, "What is drained: /services/pool/api/v1/drains."))


def _withdrawal(act: Act, node: str, why: str, user: SignedIn, now: datetime) -> Withdrawal:
    return Withdrawal(secrets.token_hex(8), act, node, "", why, user.name, now)


async def _withdraw(desk: Desk, asked: Withdrawal, confirm: Confirmation | None) -> Withdrawal:
    def write(change: Transaction) -> Withdrawal | Refusal:
        made = _placed(asked, desk.found.inventory)
        if isinstance(made, Refusal):
            return made
        if (refusal := _impossible(made, desk, change)) is not None:
            return refusal
        found = _harm_of(made, desk, change)
        if (asks := question(confirm, found)) is not None:
            return asks
        change.add_withdrawal(made)
        until = f", until {made.until.isoformat()}" if made.until else ""
        detail = f"{made.id}: {made.what}{until}: {made.why}{accepted(found)}"
        note(change, desk.clock(), made.made_by, "drained" if made.act is Act.DRAIN else "fenced", None, detail)
        return made

    made = await desk.change(write)
    if isinstance(made, Refusal):
        raise Rejected(made)
    return made


def _placed(asked: Withdrawal, inventory: Inventory) -> Withdrawal | Refusal:
    """What was asked for, a device with the name of its machine."""
    if not asked.device:
        return asked
    known = next((each for each in inventory.devices if each.id == asked.device), None)
    if known is None:
        return _refused(422, "no_such_device", f"There is no GPU {asked.device}.", _NAMES)
    return replace(asked, node=known.node)


def _impossible(made: Withdrawal, desk: Desk, change: Transaction) -> Refusal | None:
    node = next((each for each in desk.found.inventory.nodes if each.name == made.node), None)
    if node is None:
        return _refused(422, "no_such_node", f"There is no machine {made.node}.", _NAMES)
    same = [each for each in change.acts().withdrawals if (each.act, each.node) == (made.act, made.node)]
    if any(each.device in {made.device, ""} for each in same):
        end = "End that first to say it anew." if made.act is Act.DRAIN else "Nothing more is to be done."
        return _refused(409, "withdrawn_already", f"{made.what.capitalize()} is out of service already.", end)
    return _answers(node) if made.act is Act.FENCE and node.condition is not Condition.SILENT else None


def _answers(node: Node) -> Refusal:
    detail = f"The machine {node.name} is {node.condition.value}, not silent: what runs on it is seen."
    return _refused(409, "not_silent", detail, "Drain it to let nothing new start there.")


def _harm_of(made: Withdrawal, desk: Desk, change: Transaction) -> Consequences:
    world, now = desk.world(change), desk.clock()
    inventory = with_withdrawals(desk.found.inventory, (*change.acts().withdrawals, made), now)
    return Consequences(newly_broken(world, replace(world, inventory=inventory), now))


def _refused(status: int, reason: str, detail: str, remedy: str) -> Refusal:
    return Refusal(status, reason, "Not done", detail, remedy)
