"""How the projects' budgets stand: what is used of a period, what is set aside in it, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from labpool.domain.budgets import Budget, Per, costs, hours
from labpool.domain.planned_schedule import schedule_of
from labpool.domain.words import decimal
from labpool.domain.world import World


@dataclass(frozen=True, slots=True)
class BudgetStand:
    """A project's GPU-hours in the period that ends at `renewed`.

    `used` is what its servers have used until now; `set_aside` what they may still use until their hours are over, and
    what is planned for who waits; `left` is the rest, below 0 where the budget was lowered.
    """

    project: str
    budget: Budget
    used: float
    set_aside: float
    left: float
    renewed: datetime


def budget_sentence(stand: BudgetStand) -> str:
    """What is left, in words: "188 of 200 GPU-hours left this month"."""
    per = stand.budget.per
    when = "today" if per is Per.DAY else f"this {per.value}"
    return f"{decimal(max(stand.left, 0))} of {decimal(stand.budget.gpu_hours)} GPU-hours left {when}"


def budget_stands(world: World, now: datetime) -> tuple[BudgetStand, ...]:
    """Of each project that has a budget, in the file's order."""
    budgets = world.catalogue.budgets()
    if not budgets:
        return ()
    left = schedule_of(world, now).payments.left
    return tuple(_stand(world, project, budget, left(project, now), now) for project, budget in budgets.items())


def _stand(world: World, project: str, budget: Budget, left: int, now: datetime) -> BudgetStand:
    account = (project, budget.period(now).start)
    used = world.spent.of.get(account, 0)
    for lease in world.leases:
        if lease.project == project:
            used += dict(costs(project, budget, lease.rate, lease.starts, min(lease.ends, now))).get(account, 0)
    set_aside = max(budget.work - used - left, 0)
    return BudgetStand(project, budget, hours(used), hours(set_aside), hours(left), budget.period(now).end)
