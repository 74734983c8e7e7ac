"""`labpool usage`: who used how many GPU-hours."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labpool.api_models import UsageView
from labpool.cli.asking import the_pool
from labpool.store.usage import By


def usage(
    *,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="2026-05-01 or 2026-05-01T08:00. Default: this month, or term."),
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Not included. Default: its end.")] = None,
    by: Annotated[By, typer.Option(help="What to sum up by.")] = By.PROJECT,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Print who used how many GPU-hours.

    Your own; of projects that you own everybody's; all for an admin.
    """
    if as_csv and as_json:
        raise typer.BadParameter("choose one of --csv and --json", param_hint="--csv")
    with the_pool() as pool:
        if as_csv:
            typer.echo(pool.usage_csv(first, last, by.value), nl=False)
            return
        found = pool.usage(first, last, by.value)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        Console().print(_table(found))


def _table(found: UsageView) -> Table:
    title = f"GPU-hours from {found.start:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M} UTC"
    table = Table(title=title, title_justify="left")
    table.add_column(found.by)
    for column in ("used", "held", "overrun", "runs"):
        table.add_column(column, justify="right")
    for row in found.rows:
        table.add_row(escape(row.key), *(f"{hours:.2f}" for hours in (row.used, row.held, row.overrun)), str(row.runs))
    return table
