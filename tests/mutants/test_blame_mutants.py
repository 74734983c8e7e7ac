"""Planners that say something wrong about promises that break. The histories must catch every one of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from labpool.domain.planner import plan
from labpool.domain.plans import BreakCause, BrokenPromise, Plan
from labpool.domain.world import World

from tests.domain.history import PEACEFUL, TROUBLE, History
from tests.domain.lab import at, starts
from tests.domain.rules import MARGIN, InvariantBroken
from tests.mutants.test_planner_mutants import hunt

pytestmark = pytest.mark.once

EDITS = ("lower_shares", "raise_shares", "lend_less", "lower_budget")
NEVER = at(1_000_000)


def test_a_planner_that_hides_broken_promises_is_caught():
    def silent(world: World, now: datetime) -> Plan:
        return replace(plan(world, now), broken=())

    with pytest.raises(InvariantBroken, match=r"^6: .* and nobody said so"):
        hunt(PEACEFUL * 2 + TROUBLE, silent)


def test_a_planner_that_makes_up_causes_is_caught():
    def blaming(world: World, now: datetime) -> Plan:
        decided = plan(world, now)
        told = {t.id: t.starts_by for t in world.tickets if t.starts_by}
        late = [slot for slot in decided.slots if slot.ticket in told and world.looked_at != now]
        made_up = (BrokenPromise(s.ticket, told[s.ticket], s.start, BreakCause.OVERRUN) for s in late)
        return replace(decided, broken=tuple(made_up))

    with pytest.raises(InvariantBroken, match=r"^6: .* which never happened"):
        hunt(PEACEFUL, blaming)


def test_a_planner_that_promises_anew_each_time_is_caught_moving_the_number_later():
    def fickle(world: World, now: datetime) -> Plan:
        decided = plan(world, now)
        promised = {ticket.id for ticket in world.tickets if ticket.starts_by}
        again = {slot.ticket: slot.start for slot in decided.slots if slot.ticket in promised}
        return replace(decided, promises={**again, **decided.promises})

    with pytest.raises(InvariantBroken, match=r"^6b: "):
        hunt(PEACEFUL * 2 + TROUBLE, fickle)


def test_a_planner_that_blames_an_admin_long_after_is_caught():
    first = own_and_budgets(History(plan).as_stored())

    def blaming(world: World, now: datetime) -> Plan:
        if own_and_budgets(world) == first:
            return plan(world, now)
        decided = plan(replace(world, slots=()), now)
        stood = {slot.ticket: slot.start for slot in world.slots}
        told = {t.id: t.starts_by for t in world.line() if t.starts_by and stood.get(t.id, now) <= t.starts_by + MARGIN}
        now_planned = starts(decided)
        late = (name for name, by in told.items() if max(now_planned.get(name, NEVER), now) > by + MARGIN)
        made_up = (BrokenPromise(name, told[name], now_planned.get(name), BreakCause.ADMIN_CHANGE) for name in late)
        return replace(decided, broken=tuple(made_up))

    with pytest.raises(
        InvariantBroken, match=r"broken by admin_change, which never happened|moved later and nothing happ"
    ):
        hunt(PEACEFUL + EDITS, blaming)


def own_and_budgets(world: World) -> list[object]:
    """What only an admin changes of each project."""
    return [(each.nominal, each.lend, each.budget) for each in world.catalogue.projects.values()]
