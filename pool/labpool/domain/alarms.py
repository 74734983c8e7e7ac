"""When to decide again though nothing happens until then."""

from __future__ import annotations

from collections.abc import Iterator, Set
from datetime import datetime

from labpool.domain.outlook import Outlook
from labpool.domain.timeline import FOREVER


def looks_at(outlook: Outlook) -> datetime | None:
    """The first time at which somebody could start, ask, or be promised something; None where nobody waits for any."""
    slots = (planned[0].start for planned in outlook.by_start.values() if planned)
    fallbacks = (slot.start for slot in outlook.schedule.fallbacks.slots.values())
    waited = (since + outlook.world.catalogue.queue.unpromised for since, _ in oldest_unpromised(outlook))
    turns = outlook.world.turns(outlook.now) if outlook.line.tickets else ()
    due = (*slots, *fallbacks, *waited, *turns, *outlook.asks_at.values(), *outlook.pays_at.values())
    return min((at for at in due if outlook.now < at < FOREVER), default=None)


def oldest_unpromised(outlook: Outlook) -> Iterator[tuple[datetime, str]]:
    """Of each project the ticket that waits longest without a promise, and since when."""
    return (waiting[0] for waiting in outlook.unpromised.values() if waiting)


def note_who_can_pay_when(outlook: Outlook, granted: Set[str]) -> None:
    """Note anew when a budget lets somebody start who asks for too much now, for the projects where that may differ.

    `granted` are projects that were given something in this decision.
    """
    payments = outlook.schedule.payments
    budgets = payments.budgets.keys()
    if not budgets:
        return
    fresh = {outlook.tickets[name].project for name in outlook.fresh}
    passed = {project for project, at in outlook.pays_at.items() if at <= outlook.now}
    changed = fresh | passed | granted | outlook.stirred.projects | (budgets - outlook.pays_at.keys())
    for project in changed & budgets:
        if payments.is_ample(project, outlook.line.sizes_of(project), outlook.now):
            outlook.pays_at[project] = FOREVER
            continue
        tickets = (outlook.line.tickets[name] for name in outlook.line.names_of_project(project))
        outlook.pays_at[project] = payments.next_affordable(project, tickets, outlook.now)
