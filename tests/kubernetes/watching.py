"""Following a kind of object for as long as it takes, also while the API server is away for a time."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import httpx

Manifest = dict[str, Any]
PAUSE = 0.3
"""Seconds before the next try."""
_WATCH_SECONDS = 300
_PATIENCE = httpx.Timeout(30, read=_WATCH_SECONDS + 30)
log = logging.getLogger("runner")


async def follow(
    api: httpx.AsyncClient,
    path: str,
    chosen: Mapping[str, str],
    on_list: Callable[[list[Manifest]], None],
    on_event: Callable[[str, Manifest], None],
) -> None:
    """Tell of all objects, then of each change; begins anew with all of them whenever a watch ends. Never returns.

    Args:
        api: The API server.
        path: Of the objects.
        chosen: Selectors.
        on_list: Is told all there are.
        on_event: Is told the kind of a change (ADDED, MODIFIED, DELETED) and the object after it.
    """
    while True:
        try:
            answer = (await api.get(path, params=dict(chosen))).raise_for_status().json()
            on_list(answer["items"])
            await _watch(api, path, {**chosen, "resourceVersion": answer["metadata"]["resourceVersion"]}, on_event)
        except httpx.HTTPError as problem:
            log.info("the API server is away (%r), looking again", problem)
        await asyncio.sleep(PAUSE)


async def _watch(
    api: httpx.AsyncClient, path: str, chosen: Mapping[str, str], on_event: Callable[[str, Manifest], None]
) -> None:
    asked = {**chosen, "watch": "true", "timeoutSeconds": str(_WATCH_SECONDS)}
    async with api.stream("GET", path, params=asked, timeout=_PATIENCE) as lines:
        lines.raise_for_status()
        async for line in lines.aiter_lines():
            event = json.loads(line)
            if event["type"] == "ERROR":  # such as 410: what happened since then isn't known any more
                return
            on_event(event["type"], event["object"])


async def persist(api: httpx.AsyncClient, method: str, path: str, body: object, kind: str = "application/json") -> None:
    """Send a request until the API server has taken or refused it; that the object is gone or there is fine too."""
    while True:
        try:
            answer = await api.request(method, path, json=body, headers={"Content-Type": kind})
        except httpx.HTTPError:
            await asyncio.sleep(PAUSE)
            continue
        if answer.status_code == 429 or answer.status_code >= 500:
            await asyncio.sleep(PAUSE)
            continue
        if answer.is_error and answer.status_code not in (404, 409):
            log.error("%s %s was refused: %s", method, path, answer.text)
        return
