"""Waiting for what comes about a moment later, beside `wait_until`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from tests.real_hub import wait_until

Found = TypeVar("Found")


def wait_for(look: Callable[[], Found | None], what: str, seconds: float = 60) -> Found:
    """Poll until there is something to be found, and return that; fail with `what` past the deadline."""
    found = list[Found]()

    def is_there() -> bool:
        if seen := look():
            found.append(seen)
        return bool(found)

    wait_until(is_there, what, seconds)
    return found[0]


async def eventually(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """The same as `wait_until` inside an event loop, which goes on meanwhile."""

    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.005)  # what is waited for runs in this loop, or tells it

    try:
        await asyncio.wait_for(poll(), seconds)
    except asyncio.TimeoutError:
        raise AssertionError(f"{what} did not happen within {seconds:g} s") from None
