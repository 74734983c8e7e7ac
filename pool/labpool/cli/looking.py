"""Commands that look: status, top, tickets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live

from labpool.api_models import PoolView
from labpool.cli.asking import print_json, the_pool
from labpool.cli.tables import device_table, pool_tables, ticket_table
from labpool.client import PoolRefused, SyncPoolClient

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
_OPEN = ("queued", "granted", "running", "reclaiming")
_LONGEST = 200


def status(as_json: Json = False) -> None:
    """Show what is free, what is out of service and how many wait."""
    with the_pool() as pool:
        stands = pool.pool()
    if as_json:
        print_json(stands)
    else:
        Console().print(pool_tables(stands))


def tickets(
    state: Annotated[
        list[str] | None,
        typer.Option(help="queued, granted, running, reclaiming or ended; more than once if you like."),
    ] = None,
    project: Annotated[str | None, typer.Option(help="Of this project only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_LONGEST, help="The newest ones, so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List tickets, newest first; without --state those that have not ended."""
    with the_pool() as pool:
        page = pool.tickets(state or _OPEN, project, limit)
    if as_json:
        print_json(page)
    else:
        Console().print(ticket_table(page))


def top(
    seconds: Annotated[float, typer.Option(min=0.5, help="Between two looks.")] = 2.0, as_json: Json = False
) -> None:
    """Show the pool live until Ctrl-C: who holds what, and who waits. With --json one line for each look."""
    with the_pool() as pool:
        if as_json:
            for _ in _every(seconds):
                typer.echo(pool.pool().model_dump_json())
        with Live(screen=True, auto_refresh=False) as live:
            for _ in _every(seconds):
                live.update(_look(pool), refresh=True)


def _every(seconds: float) -> Iterator[None]:
    while True:
        yield
        time.sleep(seconds)  # the pace of the pictures; nothing is waited for


def _look(pool: SyncPoolClient) -> RenderableType:
    stands = pool.pool()
    waiting = ticket_table(pool.tickets(["queued"], limit=_LONGEST))
    return Group(pool_tables(stands), _holders(pool, stands), waiting)


def _holders(pool: SyncPoolClient, stands: PoolView) -> RenderableType:
    """Who holds which GPU, for admins; for others what runs of their own projects."""
    try:
        return device_table(pool.devices())
    except PoolRefused:
        return ticket_table(pool.tickets(["granted", "running", "reclaiming"], limit=_LONGEST))
