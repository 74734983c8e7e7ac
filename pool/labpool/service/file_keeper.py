"""Noting in the audit trail which pool.yaml is in force: whoever changes the file changes the rules."""

from __future__ import annotations

import asyncio

from labpool.service.desk import Desk
from labpool.service.trail import note
from labpool.store import Part

_LOOKS_EVERY = 1.0


class FileKeeper:
    """Writes a row when this process begins to decide, and one whenever a changed file takes force.

    Args:
        desk: Whose trail it is. Who changed the file, only the machine that it lies on knows.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._noted = ""

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self.note_changed()
            await asyncio.sleep(_LOOKS_EVERY)

    async def note_changed(self) -> None:
        """Write a row unless the rules in force are those of the last row."""
        in_force = self._desk.found.sha256
        if in_force != self._noted:
            await note_file(self._desk, Part.FILE, "rules_in_force")
            self._noted = in_force


async def note_file(desk: Desk, actor: str, event: str, errors: str = "") -> None:
    """Write down what somebody did, or the file did by itself, with the digest of what is in force after that."""
    detail = f"pool.yaml, sha256 {desk.found.sha256}" + ("; the file is broken now and was not taken" if errors else "")
    await desk.change(lambda change: note(change, desk.clock(), actor, event, None, detail), replan=False)
