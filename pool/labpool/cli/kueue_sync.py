"""What `labpool kueue sync` does and tells."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

from labpool.cli.asking import Exit, fail
from labpool.cluster import ClusterRefused, ClusterUnavailable, connected
from labpool.kueue import (
    Act,
    FieldChange,
    Step,
    Synced,
    UnusableFlavours,
    sync_queues,
)
from labpool.settings import InvalidPoolFile, PoolFile, load_pool_file

_DONE = {Act.CREATE: "Made", Act.CHANGE: "Changed", Act.DELETE: "Deleted"}
_PLANNED = {Act.CREATE: "Would make", Act.CHANGE: "Would change", Act.DELETE: "Would delete"}
_LEFT = {Act.KEPT: "Kept", Act.DRIFTED: "Left", Act.FOREIGN: "Left", Act.GOING: "Left"}


def synced(path: Path, dry_run: bool, force: bool) -> Synced:
    """Bring the cluster of this environment to what the file says; what goes wrong ends the command with words."""
    try:
        return asyncio.run(_sync(load_pool_file(path), dry_run, force))
    except ClusterUnavailable as error:
        fail(str(error), Exit.NO_POOL)
    except (ClusterRefused, InvalidPoolFile, UnusableFlavours) as error:
        fail(str(error), Exit.REFUSED)


def as_json_text(done: Synced) -> str:
    """`steps` have `act`, `kind`, `name`, `said` and `changes`, each with `field`, `now`, `wanted` and `by`."""
    head = {"cohort": done.cohort, "namespace": done.namespace, "dry_run": done.dry_run, "whole": done.whole}
    return json.dumps({**head, "remarks": done.remarks, "steps": [_step(step) for step in done.steps]}, indent=2)


def as_lines(done: Synced) -> Iterator[str]:
    """The same for people: an object a line, below it its fields. Of a new one what it holds, none of the rest."""
    words = (_PLANNED if done.dry_run else _DONE) | _LEFT
    for step in done.steps:
        yield f"{words[step.act]} {step.named}{f': {step.said}' if step.said else ''}"
        yield from (f"  {_in_words(change)}" for change in step.changes if _matters(change, step))
    for remark in done.remarks:
        yield f"Mind: {remark}"
    if not done.steps:
        yield "Nothing to do: the cluster's queues are as pool.yaml says."
    elif done.dry_run:
        yield "Nothing was done, since --dry-run was asked for."


async def _sync(pool_file: PoolFile, dry_run: bool, force: bool) -> Synced:
    async with connected() as api:
        return await sync_queues(
            api, pool_file.catalogue, pool_file.cluster, pool_file.kueue, dry_run=dry_run, force=force
        )


def _step(step: Step) -> dict[str, object]:
    changes = [{"field": each.field, "now": each.now, "wanted": each.wanted, "by": each.by} for each in step.changes]
    named = {"kind": step.named.kind.word, "name": step.named.name}
    return {"act": step.act.value, **named, "said": step.said, "changes": changes}


def _matters(change: FieldChange, step: Step) -> bool:
    return step.act is not Act.CREATE or (change.field.endswith(("Quota", "Limit", "weight")) and change.wanted != "0")


def _in_words(change: FieldChange) -> str:
    wanted = change.wanted if change.wanted is not None else "nothing"
    if change.now is None:
        return f"{change.field}: {wanted}"
    return f"{change.field}: {change.now} → {wanted}{f', set by {change.by}' if change.by else ''}"
