"""A part that the system can't start now is started when it can."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from labpool.cli.supervisor_child import Child
from labpool.cli.supervisor_parts import Part


async def test_part_that_the_system_cannot_start_is_said_and_tried_again(tmp_path: Path):
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    part = Part("pool", "the pool", command, {}, "", 1.0)
    said: list[str] = []
    started = asyncio.Event()
    missing = tmp_path / "missing"
    child = Child(part, missing / "pool.log", lambda _: started.set(), said.append)
    running = asyncio.ensure_future(child.keep_running())
    while not said:
        await asyncio.sleep(0.01)
    assert "the pool can't be started now" in said[0]
    missing.mkdir()
    await asyncio.wait_for(started.wait(), 30)
    await child.stop(asyncio.Event())
    await running
