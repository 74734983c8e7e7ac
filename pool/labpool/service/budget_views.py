"""What people see of the projects' budgets."""

from __future__ import annotations

from datetime import datetime

from labpool.api_models import BudgetView
from labpool.domain.budget_stands import BudgetStand, budget_sentence, budget_stands
from labpool.domain.world import World


def budgets(world: World, now: datetime) -> tuple[BudgetView, ...]:
    """How each budget stands; nothing of projects that have none."""
    return tuple(_view(world, stand) for stand in budget_stands(world, now))


def _view(world: World, stand: BudgetStand) -> BudgetView:
    return BudgetView(
        project=stand.project,
        project_title=world.catalogue.projects[stand.project].title,
        gpu_hours=stand.budget.gpu_hours,
        per=stand.budget.per.value,
        used=stand.used,
        set_aside=stand.set_aside,
        left=max(stand.left, 0.0),
        renewed=stand.renewed,
        message=budget_sentence(stand),
    )
