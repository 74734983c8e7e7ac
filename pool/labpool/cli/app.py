"""The commands of `labpool`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from labpool.cli.audit import audit
from labpool.cli.check import check_file
from labpool.cli.check_output import as_text, print_tables
from labpool.cli.database import database
from labpool.cli.doctor import doctor
from labpool.cli.kueue import kueue
from labpool.cli.looking import status, tickets, top
from labpool.cli.quota import quota
from labpool.cli.simulate import simulate
from labpool.cli.simulate_files import UnusableFile
from labpool.cli.steering import drain, end, extend, fence, grant, reload, undrain
from labpool.cli.usage import usage
from labpool.cli.users import users
from labpool.settings import InvalidSetting, pool_file_path
from labpool.settings.reference import NoReferenceHere, with_reference
from labpool.settings.schema import schema_text
from labpool.store import BackupFailed, UnusableDatabase

app = typer.Typer(
    name="labpool",
    help="A university lab's shared TensorFlow GPU pool on JupyterHub.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(audit, name="audit")
app.add_typer(simulate, name="simulate")
for _name, _group in (("users", users), ("db", database), ("quota", quota), ("kueue", kueue)):
    app.add_typer(_group, name=_name)
for _command in (status, top, tickets, usage, extend, end, grant, drain, undrain, fence, reload, doctor):
    app.command()(_command)


def main() -> None:
    """Run the command line.

    Exit codes: 0 done; 1 what was asked can't be done; 2 a wrong command line; 3 the pool can't be reached; 4 promises
    would break and nobody confirmed that.
    """
    try:
        app()
    except (BackupFailed, InvalidSetting, UnusableDatabase, UnusableFile) as error:
        _refuse(str(error))


@app.command()
def check(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="Folder with pool.yaml, or the file itself. Default: LABPOOL_CONFIG, else hub_config."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Check pool.yaml and tell what it comes to on this machine.

    Prints all errors, not only the first. Exit code: 0 when the pool can run with the file (warnings allowed), 1 when
    it has errors or can't be read, 2 for a wrong command line, 3 where the GPUs are a cluster's that can't be reached.
    """
    report = check_file(_pool_file(folder))
    if as_json:
        typer.echo(as_text(report))
    else:
        print_tables(report, Console(), Console(stderr=True))
    raise typer.Exit(0 if report.valid else 1)


@app.command()
def run() -> None:
    """Run proxy, hub, pool and TensorBoard's gateway on this machine until Ctrl-C.

    Exit code: 0 after a stop that was asked for, 1 where it runs already or a part or port fails, 2 where the settings
    can't be used.
    """
    from labpool.cli.run import run as run_all  # noqa: PLC0415 (the other commands need nothing of what it loads)

    raise typer.Exit(run_all())


@app.command()
def schema() -> None:
    """Print the JSON Schema of pool.yaml, which editors understand. hub_config/pool.schema.json is its copy."""
    typer.echo(schema_text(), nl=False)


@app.command()
def reference(
    page: Annotated[Path, typer.Argument(help="Markdown page with the two lines that mark the reference's place.")],
) -> None:
    """Write the reference of pool.yaml's keys into a page, such as docs/configuration.md."""
    try:
        page.write_text(with_reference(page), encoding="utf-8")
    except (NoReferenceHere, OSError) as error:
        _refuse(str(error))


def _pool_file(folder: Path | None) -> Path:
    if folder is None:
        return pool_file_path(os.environ)
    return folder if folder.is_file() else folder / "pool.yaml"


def _refuse(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(1)
