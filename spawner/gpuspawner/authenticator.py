"""Sign-in for a demonstration on one's own machine: four accounts, one generated password, loopback only."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from jupyterhub.auth import Authenticator
from labpool.settings import DEMO_ACCOUNTS
from tornado import web
from traitlets import Dict, Float, Integer, List, Unicode


class NotOnLoopback(ValueError):
    """The demo sign-in would be reachable from other machines."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"the demo accounts share one password, so the hub must be on loopback only; it would be at {address}. "
            "Set c.JupyterHub.bind_url to http://127.0.0.1:8000, or choose another authenticator "
            "(such as oauthenticator's) for a hub that others can reach."
        )


class DemoAuthenticator(Authenticator):
    """Accounts of the demonstration. Whoever knows the password is whom they say they are.

    Raises:
        NotOnLoopback: the hub would listen on an address that other machines reach.
    """

    accounts = Dict(
        {account.name: list(account.groups) for account in DEMO_ACCOUNTS},
        help="Groups of each account, by its name. Default: ada, bert, olga and admin.",
    ).tag(config=True)

    admins = List(
        Unicode(),
        [account.name for account in DEMO_ACCOUNTS if account.admin],
        help="Accounts that are admins of the hub. Default: admin.",
    ).tag(config=True)

    password = Unicode("", help="The password of all accounts, at least 12 characters. No default.").tag(config=True)

    failures_allowed = Integer(5, min=1, help="Wrong passwords in a row after which an account pauses, 1 or more.").tag(
        config=True
    )

    pause_seconds = Float(
        30.0, min=0.0, help="How long an account pauses after too many wrong passwords, in seconds."
    ).tag(config=True)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        _check_loopback(str(getattr(self.parent, "bind_url", "") or "http://127.0.0.1"))
        self.manage_groups = True
        self.allowed_users = set(self.accounts)
        self._throttle = Throttle(self.failures_allowed, self.pause_seconds, time.monotonic)

    async def authenticate(self, handler: object, data: Mapping[str, str]) -> dict[str, object] | None:
        """The account of a right name and password, with its groups; None for a wrong one.

        Raises:
            HTTPError: 429 while the account pauses after wrong passwords.
        """
        name = data.get("username", "")
        # one entry for all unknown names, or guessing names would fill the memory
        key = name if name in self.accounts else ""
        if wait := self._throttle.wait(key):
            raise web.HTTPError(429, f"Too many wrong passwords. Try again in {wait:.0f} seconds.")
        right = len(self.password) >= 12 and _same(data.get("password", ""), self.password)
        if not (right and key):
            self._throttle.failed(key)
            return None
        self._throttle.succeeded(key)
        return {"name": name, "groups": list(self.accounts[name]), "admin": name in self.admins}


@dataclass
class _Failures:
    count: int = 0
    blocked_until: float = 0.0


class Throttle:
    """Counts failures in a row for each key and says how long to wait.

    Args:
        allowed: Failures in a row before a pause.
        pause: Length of a pause in seconds.
        clock: Seconds that never go back.
    """

    def __init__(self, allowed: int, pause: float, clock: Callable[[], float]) -> None:
        self._allowed, self._pause, self._clock = allowed, pause, clock
        self._failures: dict[str, _Failures] = {}

    def wait(self, key: str) -> float:
        """Seconds until `key` may try again; 0 for now."""
        failures = self._failures.get(key)
        return max(0.0, failures.blocked_until - self._clock()) if failures else 0.0

    def failed(self, key: str) -> None:
        """Note a failure; each one past the allowed number starts a pause."""
        failures = self._failures.setdefault(key, _Failures())
        failures.count += 1
        if failures.count >= self._allowed:
            failures.blocked_until = self._clock() + self._pause

    def succeeded(self, key: str) -> None:
        """Forget `key`'s failures."""
        self._failures.pop(key, None)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode("utf-8"))


def _check_loopback(bind_url: str) -> None:
    host = urlsplit(bind_url).hostname or "*"
    if host == "localhost":
        return
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NotOnLoopback(bind_url)
