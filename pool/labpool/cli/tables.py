"""Answers of the pool as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from labpool.api_models import DeviceView, OverrideView, PoolView, TicketPage, TicketSummary


def pool_tables(pool: PoolView) -> RenderableType:
    """How the pool stands: flavours, budgets, and what is wrong."""
    flavours = _table("GPUs", "flavour", "free", "of", "next free")
    for each in pool.flavours:
        title = f"{each.title}{' (simulated)' if each.simulated else ''}"
        flavours.add_row(escape(title), str(each.free), str(each.total), "" if each.free else clock(each.next_free))
    parts: list[RenderableType] = [flavours]
    if pool.budgets:
        budgets = _table("Budgets", "project", "left", "renewed")
        for budget in pool.budgets:
            budgets.add_row(escape(budget.project_title), escape(budget.message), clock(budget.renewed))
        parts.append(budgets)
    parts += [Text(f"! {trouble}", style="yellow") for trouble in troubles_of(pool)]
    waiting = "Nobody waits." if not pool.queued else f"{pool.queued} waiting."
    return Group(*parts, Text(waiting))


def troubles_of(pool: PoolView) -> list[str]:
    """What is wrong with machines and GPUs, a sentence each."""
    troubles = [pool.trouble] if pool.trouble else []
    for node in pool.out_of_service:
        until = f" until {clock(node.until)}" if node.until else ""
        troubles.append(f"{node.node} is {node.condition}{until}: {node.reason}")
    return troubles + [f"{each.device}: {each.reason}" for each in (*pool.withheld, *pool.trespassed)]


def ticket_table(page: TicketPage) -> RenderableType:
    """Tickets, newest first."""
    table = _table("Tickets", "id", "state", "who", "project", "profile", "GPUs", "hours", "when")
    for each in page.tickets:
        row = (each.id, each.state, escape(_who(each)), each.project, each.profile, str(each.gpus), f"{each.hours:g}")
        table.add_row(*row, _when(each))
    more = [Text("There are more: --limit shows up to 200.")] if page.cursor else []
    hidden = [Text(f"{page.others_queued} more waiting in other projects.")] if page.others_queued else []
    return Group(table, *more, *hidden)


def device_table(devices: Iterable[DeviceView]) -> Table:
    """All GPUs with their holders."""
    table = _table("Devices", "machine", "GPU", "flavour", "holder", "until", "note")
    for each in devices:
        note = each.withheld or ("" if each.condition == "serving" else each.condition)
        holder = f"{each.user} ({each.project})" if each.user else "free"
        table.add_row(each.node, each.id, each.flavour, escape(holder), clock(each.until), escape(note))
    return table


def override_table(overrides: Sequence[OverrideView]) -> RenderableType:
    """Rules that are not the file's."""
    if not overrides:
        return Text("Every rule is pool.yaml's.")
    table = _table("Overrides", "id", "rule", "of", "value", "in the file", "until", "by", "why")
    for each in overrides:
        rule = f"{each.rule} {each.flavour}".strip()
        file_value = "" if each.file_value is None else f"{each.file_value:g}"
        until = clock(each.until) or "further notice"
        who = (escape(each.made_by), escape(each.why))
        table.add_row(each.id, rule, escape(each.name), f"{each.value:g}", file_value, until, *who)
    return table


def clock(moment: datetime | None) -> str:
    """A time on this machine's clock; empty where there is none."""
    return moment.astimezone().strftime("%a %H:%M" if _is_soon(moment) else "%d %b %H:%M") if moment else ""


def _is_soon(moment: datetime) -> bool:
    return abs((moment - datetime.now(moment.tzinfo)).total_seconds()) < 6 * 86400


def _who(ticket: TicketSummary) -> str:
    if ticket.user is None:
        return ""
    return f"{ticket.user}/{ticket.name}" if ticket.name else ticket.user


def _when(ticket: TicketSummary) -> str:
    if ticket.ends is not None:
        return f"until {clock(ticket.ends)}"
    if ticket.state == "queued":
        return f"by {clock(ticket.starts_by)}" if ticket.starts_by else "no promise"
    return (ticket.end_reason or "").replace("_", " ")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
