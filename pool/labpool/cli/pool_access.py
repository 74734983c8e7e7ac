"""How the command finds the pool, and in whose name it asks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from labpool.client import SyncPoolClient
from labpool.settings import Place, Ports

_TIMEOUT = 60.0
_ELSEWHERE = (
    "On the machine of the pool run this as the pool's user, with the LABPOOL_DATA that the pool has. Elsewhere set "
    "LABPOOL_URL to the hub's address and LABPOOL_TOKEN to a token of its Token page."
)


class NoPool(Exception):
    """Nothing says where the pool is, or in whose name to ask; the message says what to set."""


@dataclass(frozen=True, slots=True)
class PoolAddress:
    """Where the pool is, the token to ask with, and the data folder where it is this machine's own pool."""

    url: str
    token: str
    place: Place | None

    def client(self) -> SyncPoolClient:
        """A client that waits long enough for a question about many promises."""
        return SyncPoolClient(self.url, self.token, timeout=_TIMEOUT)


def pool_address(environ: Mapping[str, str] = os.environ) -> PoolAddress:
    """The pool of `LABPOOL_URL` with the token of `LABPOOL_TOKEN`, else the one of this machine's data folder.

    Raises:
        NoPool: neither is there.
        InvalidSetting: a port in the environment is none.
    """
    url, token = environ.get("LABPOOL_URL", ""), environ.get("LABPOOL_TOKEN", "")
    if url:
        if not token:
            raise NoPool("LABPOOL_URL is set and LABPOOL_TOKEN is not. Set it to a token of the hub's Token page.")
        base = url.rstrip("/").removesuffix("/hub").removesuffix("/services/pool")
        return PoolAddress(f"{base}/services/pool", token, None)
    place = Place.named(environ)
    return PoolAddress(Ports.read(environ).pool_url, token or _operator_token(place), place)


def _operator_token(place: Place) -> str:
    path = place.secrets / "operator_token"
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NoPool(f"{path} can't be read ({error.strerror or error}). {_ELSEWHERE}") from error
