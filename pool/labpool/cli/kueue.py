"""`labpool kueue`: the queues of a cluster where Kueue decides."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from labpool.cli.asking import Exit
from labpool.cli.looking import Json
from labpool.settings import pool_file_path

kueue = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Queues of a cluster with Kueue: docs/kueue.md.")


@kueue.command()
def sync(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="Folder with pool.yaml, or the file itself. Default: LABPOOL_CONFIG, else hub_config."
        ),
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would change; Kueue judges it all the same.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also set again what others have set, and take over what is theirs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the cluster's queues to what pool.yaml says.

    Exit code: 0 all is as pool.yaml says, or would be; 1 something stays otherwise or is refused, which is told; 2 a
    wrong command line; 3 the cluster can't be reached.
    """
    from labpool.cli.kueue_sync import as_json_text, as_lines, synced  # noqa: PLC0415 (loads a Kubernetes client)

    done = synced(_pool_file(folder), dry_run, force)
    typer.echo(as_json_text(done) if as_json else "\n".join(as_lines(done)))
    if not done.whole:
        raise typer.Exit(Exit.REFUSED)


def _pool_file(folder: Path | None) -> Path:
    if folder is None:
        return pool_file_path(os.environ)
    return folder if folder.is_file() else folder / "pool.yaml"
