"""Commands that change something: tickets, machines and GPUs, pool.yaml."""

from __future__ import annotations

from typing import Annotated

import typer

from labpool.api_models import Confirmation, DrainAsked, FenceAsked, GrantAsked, TicketView, WithdrawalView
from labpool.cli.asking import Exit, confirmed, fail, moment, print_json, the_pool
from labpool.cli.looking import Json
from labpool.cli.tables import clock
from labpool.client import SyncPoolClient

TicketId = Annotated[str, typer.Argument(help="The ticket's id, as `labpool tickets` shows it.")]
Why = Annotated[str, typer.Option(help="In a few words; kept in the audit trail.")]
Until = Annotated[str | None, typer.Option(help="Until this time, such as 2026-10-19T15:00, on this machine's clock.")]
Accepted = Annotated[int | None, typer.Option("--confirm", min=0, help="Accept that so many promises break.")]


def extend(
    ticket: TicketId, hours: Annotated[float, typer.Argument(help="So many more.")], as_json: Json = False
) -> None:
    """Let a running server end later, where that delays nobody."""
    with the_pool() as pool:
        _tell(pool.extend(ticket, hours), as_json)


def end(
    ticket: TicketId, why: Annotated[str, typer.Option(help="Its owner is told.")] = "", as_json: Json = False
) -> None:
    """End a ticket: give its GPUs back now, or take it out of the queue."""
    with the_pool() as pool:
        waits = pool.ticket(ticket).state == "queued"
        _tell(pool.leave(ticket) if waits else pool.end(ticket, why), as_json)


def grant(ticket: TicketId, why: Why, confirm: Accepted = None, as_json: Json = False) -> None:
    """Let a waiting ticket start now, ahead of all others."""

    def ask(accepted: Confirmation | None) -> TicketView:
        return pool.grant(ticket, GrantAsked(why=why, confirm=accepted))

    with the_pool() as pool:
        _tell(confirmed(ask, confirm), as_json)


def drain(
    name: Annotated[str, typer.Argument(help="A machine, or a GPU's id.")],
    why: Why,
    until: Until = None,
    confirm: Accepted = None,
    as_json: Json = False,
) -> None:
    """Let nothing new start on a machine or a GPU; what runs there runs to its end."""
    ends = moment(until)

    def ask(accepted: Confirmation | None) -> WithdrawalView:
        which = {"node": name} if is_node else {"device": name}
        return pool.drain(DrainAsked(**which, why=why, until=ends, confirm=accepted))

    with the_pool() as pool:
        is_node = name in {device.node for device in pool.devices()}
        made = confirmed(ask, confirm)
    if as_json:
        print_json(made)
    else:
        typer.echo(f"{name} is drained{f' until {clock(made.until)}' if made.until else ''}.")


def undrain(
    name: Annotated[str, typer.Argument(help="The machine, the GPU's id, or the drain's own id.")],
    as_json: Json = False,
) -> None:
    """Put a drained machine or GPU into service again. With --json: the drain that is over."""
    with the_pool() as pool:
        drain = _drain_of(pool, name)
        pool.undrain(drain.id)
    if as_json:
        print_json(drain)
    else:
        typer.echo(f"{name} is in service again.")


def fence(
    node: Annotated[str, typer.Argument(help="A machine that is silent.")], why: Why, as_json: Json = False
) -> None:
    """Confirm that nothing of before runs on a silent machine any more: its leases are settled."""
    with the_pool() as pool:
        made = pool.fence(FenceAsked(node=node, why=why))
    if as_json:
        print_json(made)
    else:
        typer.echo(f"{node} is fenced until it answers again.")


def reload(as_json: Json = False) -> None:
    """Have pool.yaml read again now, and tell what came of it; it is read by itself within seconds."""
    with the_pool() as pool:
        result = pool.reload()
    if as_json:
        print_json(result)
    elif result.valid:
        typer.echo(f"{result.path} is in force.")
    else:
        typer.echo(f"{result.errors}\nThe values from before stay in force.", err=True)
    if not result.valid:
        raise typer.Exit(Exit.REFUSED)


def _drain_of(pool: SyncPoolClient, name: str) -> WithdrawalView:
    drained = (each for each in pool.drains() if each.act == "drain")
    found = next((each for each in drained if name in {each.id, each.device or each.node}), None)
    return found or fail(f"{name} is not drained. `labpool status` shows what is.", Exit.REFUSED)


def _tell(ticket: TicketView, as_json: bool) -> None:
    if as_json:
        print_json(ticket)
    elif ticket.lease is not None:
        typer.echo(f"{ticket.id} is {ticket.state}, until {clock(ticket.lease.ends)} at the latest.")
    else:
        typer.echo(f"{ticket.id} has ended." if ticket.state == "ended" else f"{ticket.id} is {ticket.state}.")
