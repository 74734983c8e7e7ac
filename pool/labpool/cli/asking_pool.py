"""How a command reaches the running pool: its address, and who asks."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from labpool.client import SyncPoolClient
from labpool.settings import InvalidSetting, Ports

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="LABPOOL_URL",
        metavar="URL",
        help="The pool's address, such as https://hub.example.org/services/pool. Default: the one on this machine.",
    ),
]
_SECONDS = 60.0


def pool_client(url: str | None) -> SyncPoolClient:
    """A client of the pool at `url`, else of the one on this machine, in the name of `LABPOOL_TOKEN`.

    Raises:
        InvalidSetting: there is no token.
    """
    token = os.environ.get("LABPOOL_TOKEN", "")
    if not token:
        raise InvalidSetting(
            "LABPOOL_TOKEN is not set. Expected a token of the hub: make one on its token page, with the scopes "
            "access:services!service=pool and custom:labpool:read (admins: custom:labpool:admin)."
        )
    return SyncPoolClient(url or Ports.read(os.environ).pool_url, token, timeout=_SECONDS)
