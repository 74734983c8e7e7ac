"""Changing rules while the pool runs: an admin says so, is asked first where promises would break, and it is kept."""

from __future__ import annotations

import secrets
from dataclasses import replace

from labpool.api_models import Confirmation, OverrideAsked, OverrideView
from labpool.domain.breaking import newly_broken
from labpool.domain.overrides import Override, Rule, value_of
from labpool.domain.reserving import Consequences
from labpool.domain.words import decimal
from labpool.hub_signin import Refusal, SignedIn
from labpool.service.desk import Desk
from labpool.service.harm import accepted, question
from labpool.service.in_force import in_force
from labpool.service.problems import Rejected
from labpool.service.trail import as_noted, note
from labpool.store import Acts, Transaction


async def override(desk: Desk, asked: OverrideAsked, user: SignedIn) -> Override:
    """Put another value in place of the file's, and of one that was put there before.

    Raises:
        Rejected: there is nothing like that to change, the value or the end can't be, or promises would break and
            nobody has confirmed how many.
    """
    made = _parsed(asked, user, desk)

    def write(change: Transaction) -> Refusal | None:
        withdrawals, overrides = change.acts()
        before = [each for each in overrides if each.subject == made.subject]
        others = tuple(each for each in overrides if each not in before)
        found = _harm(desk, change, Acts(withdrawals, (*others, made)))
        if (asks := question(asked.confirm, found)) is not None:
            return asks
        for each in before:
            change.end_act(each.id, desk.clock(), user.name)
        change.add_override(made)
        until = f" until {made.until.isoformat()}" if made.until else ""
        detail = (
            f"{made.id}: {as_noted(change, made).what} is {decimal(made.value)}{until}: {made.why}{accepted(found)}"
        )
        note(change, desk.clock(), user.name, "overridden", None, detail)
        return None

    refusal = await desk.change(write)
    if refusal is not None:
        raise Rejected(refusal)
    return made


async def end_override(desk: Desk, override_id: str, broken: int, user: SignedIn) -> None:
    """Let the file's value hold again, although up to so many promises break.

    Raises:
        Rejected: there is no such override (any more), or more promises would break.
    """

    def write(change: Transaction) -> Refusal | None:
        withdrawals, overrides = change.acts()
        known = next((each for each in overrides if each.id == override_id), None)
        if known is None:
            return _no_such_override()
        found = _harm(desk, change, Acts(withdrawals, tuple(each for each in overrides if each is not known)))
        if (asks := question(Confirmation(broken=broken), found)) is not None:
            return replace(asks, remedy=f"Send it again with ?broken={len(found.broken)} to accept that.")
        change.end_act(known.id, desk.clock(), user.name)
        detail = f"{known.id}: {as_noted(change, known).what}{accepted(found)}"
        note(change, desk.clock(), user.name, "override_ended", None, detail)
        return None

    refusal = await desk.change(write)
    if refusal is not None:
        raise Rejected(refusal)


def override_view(desk: Desk, made: Override) -> OverrideView:
    """An override beside the file's value."""
    return OverrideView(
        id=made.id,
        rule=made.rule.value,
        name=made.name,
        flavour=made.flavour,
        value=made.value,
        file_value=value_of(desk.found.catalogue, made.rule, made.name, made.flavour),
        why=made.why,
        made_by=made.made_by,
        made_at=made.made_at,
        until=made.until,
    )


def _parsed(asked: OverrideAsked, user: SignedIn, desk: Desk) -> Override:
    rule, now = Rule(asked.rule), desk.clock()
    if rule.of_flavour != bool(asked.flavour):
        needed = "needs a flavour" if rule.of_flavour else "has no flavour"
        raise Rejected(_refused("invalid_request", f"The rule {rule.value} {needed}."))
    if value_of(desk.found.catalogue, rule, asked.name, asked.flavour) is None:
        of = f"of {asked.flavour} " if asked.flavour else ""
        detail = f"pool.yaml has no {rule.value} {of}of a project {asked.name} that could be changed."
        raise Rejected(_refused("no_such_rule", detail))
    if rule not in {Rule.WEIGHT, Rule.BUDGET} and asked.value != int(asked.value):
        raise Rejected(_refused("invalid_request", f"The value of {rule.value} is a whole number."))
    if rule is Rule.WEIGHT and not asked.value:
        raise Rejected(_refused("invalid_request", "A weight is more than 0."))
    if asked.until is not None and asked.until <= now:
        raise Rejected(_refused("not_a_time", "The end is over already."))
    value = float(asked.value)
    return Override(
        secrets.token_hex(8), rule, asked.name, asked.flavour, value, asked.why, user.name, now, asked.until
    )


def _harm(desk: Desk, change: Transaction, acts: Acts) -> Consequences:
    world, now = desk.world(change), desk.clock()
    catalogue = in_force(desk.found, acts, now).catalogue
    return Consequences(newly_broken(world, replace(world, catalogue=catalogue), now))


def _refused(reason: str, detail: str) -> Refusal:
    return Refusal(422, reason, "Not changed", detail, "Correct it and send it again.")


def _no_such_override() -> Refusal:
    return Refusal(
        404,
        "no_such_override",
        "No such override",
        "There is no override with this id; the file's value holds already.",
        "Those in force: /services/pool/api/v1/overrides.",
    )
