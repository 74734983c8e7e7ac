"""`labpool db`: backups of the pool's store, and the way back."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from labpool.settings import Place, pool_database
from labpool.store import name_of, note_restored, restore_backup, write_backup

database = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Back the pool's store up and restore it: see docs/database.md."
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


@database.command("backup")
def back_up(file: BackupFile, *, as_json: JsonOption = False) -> None:
    """Write the whole store, as at one moment, into a new file. The pool may be running.

    Exit code: 0 done, 1 when nothing was written, 2 for a wrong command line.
    """
    url = _url()
    write_backup(url, file)
    text = f"{file}: a backup of {name_of(url)}. It names people; keep it where only you can read it."
    typer.echo(_as_json(file, url) if as_json else text)


@database.command()
def restore(
    file: BackupFile,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where the store holds tickets; they are lost.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the store what it was when the backup was made. The pool must not be running.

    Exit code: 0 done, 1 when it was not done, with the reason, 2 for a wrong command line.
    """
    url = _url()
    restore_backup(url, file, replace)
    note_restored(url, file, datetime.now(timezone.utc))
    text = f"{name_of(url)} is as it was in {file}. At its start the pool ends what runs without a lease."
    typer.echo(_as_json(file, url) if as_json else text)


def _as_json(file: Path, url: str) -> str:
    return json.dumps({"file": str(file), "database": name_of(url)}, indent=2)


def _url() -> str:
    return pool_database(os.environ, Place.named(os.environ))
