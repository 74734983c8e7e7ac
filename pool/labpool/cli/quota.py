"""`labpool quota`: limits, shares and budgets for a while, beside pool.yaml's values."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from labpool.api_models import Confirmation, OverrideAsked, OverrideView
from labpool.cli.asking import confirmed, moment, print_json, the_pool
from labpool.cli.looking import Json
from labpool.cli.steering import Accepted, Until, Why
from labpool.cli.tables import override_table

quota = typer.Typer(help="Change limits, shares and budgets while the pool runs.", no_args_is_help=True)


_OF_FLAVOUR = ("nominal", "borrow", "lend")
_PLAIN = ("user_gpus", "user_queued", "weight", "budget")
_RULES = f"{', '.join(_PLAIN)}; or {', '.join(_OF_FLAVOUR)} with a flavour, such as nominal:demo-gpu."


@quota.command("list")
def list_them(as_json: Json = False) -> None:
    """Show what differs from pool.yaml: by whom, why and until when."""
    with the_pool() as pool:
        known = pool.overrides()
    if as_json:
        print_json(known)
    else:
        Console().print(override_table(known))


@quota.command("set")
def set_one(
    rule: Annotated[str, typer.Argument(help=f"What to change: {_RULES}")],
    name: Annotated[str, typer.Argument(help="Whose: a user's or a project's name.")],
    value: Annotated[float, typer.Argument(help="GPUs, tickets, a weight, or GPU-hours in each period.")],
    why: Why,
    until: Until = None,
    confirm: Accepted = None,
    as_json: Json = False,
) -> None:
    """Put a value in place of the file's."""
    ends = moment(until)
    kind, _, flavour = rule.partition(":")
    if kind not in (_OF_FLAVOUR if flavour else _PLAIN):
        raise typer.BadParameter(f'"{rule}" is no rule; expected {_RULES}', param_hint="RULE")

    def ask(accepted: Confirmation | None) -> OverrideView:
        asked = {"rule": kind, "name": name, "flavour": flavour, "value": value, "why": why}
        return pool.override(OverrideAsked.model_validate({**asked, "until": ends, "confirm": accepted}))

    with the_pool() as pool:
        made = confirmed(ask, confirm)
    if as_json:
        print_json(made)
    else:
        Console().print(override_table([made]))


@quota.command("reset")
def reset(
    override: Annotated[str, typer.Argument(help="The override's id, as `labpool quota list` shows it.")],
    confirm: Accepted = None,
    as_json: Json = False,
) -> None:
    """Let the file's value hold again. With --json: the override that is over."""

    def ask(accepted: Confirmation | None) -> None:
        pool.end_override(override, accepted.broken if accepted else 0)

    with the_pool() as pool:
        ended = [each for each in pool.overrides() if each.id == override]
        confirmed(ask, confirm)
    if as_json:
        print_json(ended[0])
    else:
        typer.echo("pool.yaml's value holds again.")
