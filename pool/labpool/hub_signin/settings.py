"""What a service must know to sign people in, and the key that its cookies are signed with."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

_KEY_BYTES = 32


class CookieKeyError(Exception):
    """The file with the cookie key can't be used."""


@dataclass(frozen=True, slots=True)
class SigninSettings:
    """How one service is known to the hub.

    Attributes:
        service_name: the service's name in the hub's configuration, such as `pool`.
        prefix: path under which the proxy routes to the service, with both slashes, such as `/services/pool/`.
        hub_api_url: the hub's API as seen from the service, such as `http://127.0.0.1:8081/hub/api`.
        api_token: the service's own token; it is the OAuth client's secret too.
        cookie_key: at least 32 random bytes from the data folder; see `read_or_create_cookie_key`.
        hub_prefix: path of the hub as seen from the browser, with both slashes.
        cache_seconds: for how long an answer of the hub about a token is believed, 1 to 300.
        hub_timeout_seconds: longest wait for the hub, 1 to 60; past it the request gets a 503.
    """

    service_name: str
    prefix: str
    hub_api_url: str
    api_token: str = field(repr=False)
    cookie_key: bytes = field(repr=False)
    hub_prefix: str = "/hub/"
    cache_seconds: int = 30
    hub_timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name in ("prefix", "hub_prefix"):
            value: str = getattr(self, name)
            if not (value.startswith("/") and value.endswith("/")) or value.startswith("//"):
                raise ValueError(f"{name} is {value!r}; expected a path with a slash at both ends, such as /logs/")
        if len(self.cookie_key) < _KEY_BYTES:
            raise ValueError(f"cookie_key has {len(self.cookie_key)} bytes; expected {_KEY_BYTES} or more")
        if not self.api_token:
            raise ValueError(f"api_token is empty; expected the token of service {self.service_name!r} in the hub")

    @property
    def oauth_client_id(self) -> str:
        """The service's OAuth client, named as the hub names it by default."""
        return f"service-{self.service_name}"

    @property
    def callback_path(self) -> str:
        """Where the hub sends the browser after sign-in."""
        return f"{self.prefix}oauth_callback"

    @property
    def access_scope(self) -> str:
        """The scope without which a signed-in user is refused."""
        return f"access:services!service={self.service_name}"


def read_or_create_cookie_key(path: Path) -> bytes:
    """Return the key in `path`; where the file is missing, make one that only its owner can read.

    Two processes that start together end up with the same key.

    Raises:
        CookieKeyError: the file exists and holds no usable key.
    """
    _create_once(path)
    text = path.read_text(encoding="ascii", errors="replace").strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < _KEY_BYTES:
        raise CookieKeyError(
            f"{path} holds no usable cookie key; expected {_KEY_BYTES * 2} hexadecimal digits. "
            "Delete the file: a new key is made, and everybody signs in again."
        )
    return key


def _create_once(path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails where another process was first: its key stands
    except FileExistsError:
        pass
    finally:
        draft.unlink()
