"""`labpool users`: what the pool knows of people."""

from __future__ import annotations

from typing import Annotated

import typer

from labpool.cli.asking import the_pool

users = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="What the pool knows of people.")


@users.callback()
def group() -> None:
    """What the pool knows of people."""


@users.command("erase")
def erase(
    name: Annotated[str, typer.Argument(help="The person's name, as the hub has it.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask whether that is meant.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Erase a person: all records stay, under a pseudonym that leads to nobody any more.

    By an admin. That can't be undone, and is refused while the person waits or holds something.
    """
    if not yes:
        typer.confirm(f"Erase {name}? That can't be undone.", abort=True, err=True)
    with the_pool() as pool:
        done = pool.erase_person(name)
    if as_json:
        typer.echo(done.model_dump_json(indent=2))
    else:
        typer.echo(
            f"Erased. What was recorded stays as {done.pseudonym}'s: tickets {done.tickets}, leases {done.leases}."
        )
