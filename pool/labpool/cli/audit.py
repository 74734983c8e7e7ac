"""`labpool audit`: who did what in the pool, and whether anybody has altered what is written of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labpool.api_models import MOST_ROWS, AuditAsked
from labpool.cli.asking import the_pool
from labpool.cli.simulate_files import UnusableFile
from labpool.cli.store_url import store_url
from labpool.settings import InvalidPoolFile, Place, load_pool_file, pool_file_path
from labpool.store import AuditWanted, UnreadableStore
from labpool.store.audit_chain import AuditRecord
from labpool.store.audit_check import Head, Verdict, heads_in
from labpool.store.audit_reading import read_audit, verify_audit

audit = typer.Typer(rich_markup_mode=None)

DataOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="The pool's data folder. Default: LABPOOL_DATABASE or LABPOOL_DATA."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@audit.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    *,
    data: DataOption = None,
    ticket: Annotated[str | None, typer.Option(metavar="ID", help="Only what happened to this ticket.")] = None,
    actor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Only what this person did (name or pseudonym), or pool, planner, engine or file."
        ),
    ] = None,
    event: Annotated[str | None, typer.Option(metavar="WHAT", help="Only this, such as granted or drained.")] = None,
    since: Annotated[
        datetime | None, typer.Option(metavar="TIME", help="Only from this local time on: 2026-05-01T08:00:00.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the audit trail: who did what, when and why.

    The pool may be running: its store is only read. Where LABPOOL_URL is set the pool is asked instead. Exit code: 0
    done, 1 the store can't be read or the pool refuses, 2 a wrong command line, 3 the pool can't be reached.
    """
    if context.invoked_subcommand is not None:
        return
    wanted = AuditWanted(ticket, actor, event, since.astimezone() if since else None)
    rows = _asked(wanted) if data is None and os.environ.get("LABPOOL_URL") else _read(store_url(data), wanted)
    if as_json:
        typer.echo(json.dumps({"rows": [_as_json(row) for row in rows]}, indent=2))
    else:
        Console().print(_table(rows))


@audit.command("verify")
def verify(
    *,
    data: DataOption = None,
    heads: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The heads kept in the second place, also as syslog has them. Default: audit.heads of pool.yaml, else "
            "audit-heads in the data folder.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check that the audit trail is as it was written.

    Exit code: 0 it is, 1 the store or the heads can't be read, 2 a wrong command line, 3 it was altered (the first bad
    row is named), 4 its rows follow on each other, but nothing is there to compare it with: it may be cut or rewritten.
    """
    place = _place(data)
    found = _verdict(store_url(data), _heads(heads or _second_place(place), named=heads is not None))
    if as_json:
        typer.echo(json.dumps(_verdict_as_json(found), indent=2))
    else:
        _tell(found)
    raise typer.Exit(_exit_code(found))


def _place(data: Path | None) -> Place:
    return Place(data.absolute()) if data else Place.named(os.environ)


def _second_place(place: Place) -> Path | None:
    try:
        named = load_pool_file(pool_file_path(os.environ)).audit_heads
    except InvalidPoolFile as error:
        raise UnusableFile(f"{error}\nName the file of heads with --heads, or correct pool.yaml.") from error
    if named == "syslog":
        return None
    return Path(named) if named else place.audit_heads


def _heads(path: Path | None, named: bool) -> list[Head]:
    if path is None or not (named or path.exists()):
        return []
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return heads_in(lines)
    except OSError as error:
        raise UnusableFile(f"{path}: can't be read ({error.strerror}). Expected the heads of the trail.") from error


def _asked(wanted: AuditWanted) -> list[AuditRecord]:
    """The rows as the pool tells them, a page at a time, oldest first."""
    since = wanted.since.isoformat() if wanted.since else None
    with the_pool() as pool:
        about = AuditAsked(ticket=wanted.ticket, actor=wanted.actor, event=wanted.event, since=since, limit=MOST_ROWS)
        page = pool.audit(about)
        rows = list(page.rows)
        while page.cursor is not None:
            page = pool.audit(about.model_copy(update={"cursor": page.cursor}))
            rows += page.rows
    return [AuditRecord(**row.model_dump()) for row in reversed(rows)]


def _read(store: str, wanted: AuditWanted) -> list[AuditRecord]:
    try:
        return read_audit(store, wanted)
    except UnreadableStore as error:
        raise UnusableFile(str(error)) from error


def _verdict(store: str, heads: list[Head]) -> Verdict:
    try:
        return verify_audit(store, heads)
    except UnreadableStore as error:
        raise UnusableFile(str(error)) from error


def _exit_code(found: Verdict) -> int:
    if found.broken:
        return 3
    return 0 if found.heads or not found.rows else 4


def _tell(found: Verdict) -> None:
    if found.broken:
        typer.echo(f"altered: {found.broken.message}", err=True)
        return
    typer.echo(f"All {found.rows} rows follow on each other, and fit the {found.heads} heads of the second place.")
    if found.rows and not found.heads:
        typer.echo(
            "Nothing was there to compare them with, so a trail that was cut or rewritten as a whole would look the "
            "same. Name the heads with --heads; where they go to syslog, write the lines of labpool-audit to a file.",
            err=True,
        )


def _verdict_as_json(found: Verdict) -> dict[str, object]:
    broken = found.broken
    told = {"fault": broken.fault.value, "row": broken.row, "message": broken.message} if broken else None
    return {"intact": broken is None, "rows": found.rows, "heads": found.heads, "broken": told}


def _as_json(row: AuditRecord) -> dict[str, object]:
    return row._asdict() | {"at": row.at.isoformat()}


def _table(rows: Iterable[AuditRecord]) -> Table:
    table = Table()
    for column in ("row", "time (UTC)", "who", "ticket", "what", "detail"):
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = (str(row.number), f"{row.at:%Y-%m-%d %H:%M:%S}", row.actor, row.ticket or "", row.event, row.detail)
        table.add_row(*map(escape, cells))
    return table
