"""Noting who uses devices that are leased to somebody else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from labpool.engines import Trespasser
from labpool.service.trail import note
from labpool.store import Part, Transaction


def note_trespassers(change: Transaction, trespassers: Iterable[Trespasser], now: datetime) -> None:
    """Audit each process or pod; the account or namespace that it runs in is mostly a person's."""
    for each in trespassers:
        owner = change.pseudonym(each.owner)
        what = f"pod {each.program}" if each.pid is None else f"process {each.pid} ({each.program})"
        detail = f"{what} of {owner} uses {each.device}"
        note(change, now, Part.ENGINE, "trespasser", each.holder, detail)
