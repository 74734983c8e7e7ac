"""Noting who uses devices that are leased to somebody else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from labpool.engines import Trespasser
from labpool.service.desk import Desk
from labpool.service.trail import note
from labpool.store import Part, Transaction


async def note_new(desk: Desk, seen: Iterable[Trespasser], before: frozenset[Trespasser]) -> frozenset[Trespasser]:
    """Audit each that uses a device leased to somebody else, once. Returns all of them."""
    now = frozenset(each for each in seen if each.holder is not None)
    if new := now - before:
        await desk.change(lambda change: _note(change, new, desk.clock()), replan=False)
    return now


def _note(change: Transaction, trespassers: Iterable[Trespasser], now: datetime) -> None:
    """Audit each process or pod; the account or namespace that it runs in is mostly a person's."""
    for each in trespassers:
        owner = change.pseudonym(each.owner)
        what = f"pod {each.program}" if each.pid is None else f"process {each.pid} ({each.program})"
        detail = f"{what} of {owner} uses {each.device}"
        note(change, now, Part.ENGINE, "trespasser", each.holder, detail)
