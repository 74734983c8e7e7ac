"""Starts that end without a server for a good reason, in the form that each version of the hub expects.

Hub 6 counts every exception from `start()` towards `consecutive_failure_limit` except its own SpawnException; Hub 5.5
has no such class and counts them all, which is why the limit must be 0 there.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import jupyterhub
from jupyterhub import spawner as hub_spawner
from jupyterhub.apihandlers.base import APIHandler
from tornado import web

HUB_MAJOR: int = jupyterhub.version_info[0]

_HubError: Any = getattr(hub_spawner, "SpawnException", web.HTTPError)


class NotStarted(_HubError):
    """A server is not started. The hub says `message` to people and copies `headers` into its answer.

    Args:
        status: HTTP status of the hub's answer.
        reason: One of a closed set of names, for programs; travels in the header `Labpool-Reason`.
        message: What happened and what to do, in one or two sentences.
        headers: More headers for the answer.
    """

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        if HUB_MAJOR >= 6:
            super().__init__(message, reason=reason, status_code=status)
        else:
            super().__init__(status, message, reason=reason)
        self.headers = {**(headers or {}), "Labpool-Reason": reason}
        self.jupyterhub_message = message


class WaitingForGPU(NotStarted):
    """The ticket is filed. A browser is sent to its page; a program gets 503 with the page and a time to ask again.

    `ticket_path` is the page's path on the hub's address; the hub's "not running" page leads there when the hub
    answered before this was raised.
    """

    def __init__(self, handler: object, ticket_path: str, message: str, retry_after: int) -> None:
        headers = {"Location": ticket_path}
        if not answers_a_page(handler):
            headers["Retry-After"] = str(retry_after)
        super().__init__(303 if answers_a_page(handler) else 503, "waiting_for_gpu", message, headers)
        self.ticket_path = ticket_path
        link = f'<a class="labpool-ticket" href="{escape(ticket_path)}">See your ticket</a>'
        self.jupyterhub_html_message = f"{escape(message)} {link}"


class GPUsUnavailable(NotStarted):
    """A GPU profile was asked for and the pool doesn't answer; CPU profiles start all the same."""

    def __init__(self) -> None:
        message = (
            "GPUs can't be given out at the moment: the pool service does not answer. "
            "Try again in a minute, or choose a CPU profile, which starts without it."
        )
        super().__init__(503, "pool_unavailable", message, {"Retry-After": "30"})


def answers_a_page(handler: object) -> bool:
    """Whether the hub answers a person's browser: a form or an address, not its REST API."""
    return handler is not None and not isinstance(handler, APIHandler)
