"""Whether a request to the Jupyter server was sent by a person who uses it, or by something that runs by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# Starting a kernel, a session or a terminal, and saving a file. Lab's polls are GETs of the same addresses; its layout
# (lab/api/workspaces) is saved by background tabs too.
_ACTS = re.compile(r"api/(kernels|sessions|terminals|contents)(/.*)?")
_ACTING_METHODS = {"POST", "PUT", "PATCH"}
# What a browser opens without a person looking at a page of ours: data, files of the pages, TensorBoard and its polls.
_NO_PAGES = re.compile(r"(api|static|lab/api|lab/extensions|lab/static|labextensions|metrics|tensorboard)(/.*)?")


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that the server has answered.

    Attributes:
        method: HTTP method.
        path: path below the server's base address, without a slash at its start.
        status: status of the answer.
        headers: the request's headers; names in any case.
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


def is_use_by_a_person(answered: Answered) -> bool:
    """Say whether a signed-in person did something: opened a page, started a kernel or a terminal, or saved a file.

    The hub's health check, polls, the reconnecting of a tab in the background and what was refused or led elsewhere
    are none of it.
    """
    if not 200 <= answered.status < 300:
        return False
    if answered.method in _ACTING_METHODS:
        return _ACTS.fullmatch(answered.path) is not None
    return answered.method == "GET" and _is_page(answered)


def _is_page(answered: Answered) -> bool:
    headers = {name.lower(): value for name, value in answered.headers.items()}
    if _NO_PAGES.fullmatch(answered.path) or "prefetch" in headers.get("sec-purpose", ""):
        return False
    mode = headers.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate" and headers.get("sec-fetch-dest", "document") == "document"
    return "text/html" in headers.get("accept", "")
