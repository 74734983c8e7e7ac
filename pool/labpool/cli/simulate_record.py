"""`labpool simulate record`: a trace of what was asked of a pool and how long it really ran."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from labpool.cli.simulate_files import UnusableFile
from labpool.domain.simulation.recorded import Fate, Recording, record
from labpool.domain.simulation.trace import format_rows
from labpool.settings import Place

_FATES = {
    Fate.RAN: "ran, and are over",
    Fate.UNUSED: "went unused; saying ready after that counts as a request of its own",
    Fate.LEFT: "left the line; in a replay that grants one sooner it uses all its hours",
    Fate.WAITS: "still wait; in a replay they leave the line at the time of this recording",
    Fate.RUNS: "still run; in a replay they use all their hours",
}


def record_trace(
    *,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The pool's data folder. Default: LABPOOL_DATA, else the user's own."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", help="Only requests from this time on: 2026-05-01 or 2026-05-01T08:00:00."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(metavar="TIME", help="Only requests from before this time. Both are local times.")
    ] = None,
) -> None:
    """Print what was asked of a pool, and how long it really ran, as a CSV trace.

    The pool may be running: its store is only read. What the trace can't hold is told on standard error. It names
    people, so keep it where only you can read it.
    """
    # the other commands need nothing of it, and loading it takes longer than they do
    from labpool.store import UnreadableStore, read_past  # noqa: PLC0415

    store = (Place(data.absolute()) if data else Place.named(os.environ)).pool_db
    first, last = _aware(since), _aware(until)
    if first and last and first >= last:
        raise typer.BadParameter("expected a time before that of --until", param_hint="--since")
    try:
        pasts = read_past(store)
    except UnreadableStore as error:
        raise UnusableFile(str(error)) from error
    recording = record(pasts, datetime.now(timezone.utc), first, last)
    if recording is None:
        raise UnusableFile(_nothing(store, len(pasts)))
    for line in format_rows(recording.arrivals):
        typer.echo(line, nl=False)
    for line in _told(store, recording):
        typer.echo(line, err=True)


def _aware(moment: datetime | None) -> datetime | None:
    """A time of the command line, which is the local one."""
    return moment.astimezone() if moment else None


def _nothing(store: Path, tickets: int) -> str:
    if not tickets:
        return f"{store}: nobody has asked this pool for a GPU yet. Record it once somebody has."
    return f"{store}: none of its {tickets} requests is of this time. Give another --since or --until, or none."


def _told(store: Path, recording: Recording) -> Iterator[str]:
    count = len(recording.arrivals)
    yield f"{store}: requests in this trace: {count}; its second 0 is {recording.begins.astimezone():%Y-%m-%d %H:%M:%S}"
    for fate, words in _FATES.items():
        if recording.fates[fate]:
            yield f"  {recording.fates[fate]} {words}"
    if recording.under_way:
        yield f"  {recording.under_way} more waited or ran before it and are left out: a replay finds their GPUs free"
