"""The two cookies of a signed-in browser, signed by us: the sign-in under way and the session."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from tornado.web import create_signed_value, decode_signed_value

from labpool.hub_signin.request_kind import is_https
from labpool.hub_signin.settings import SigninSettings

HUB_SESSION_COOKIE = "jupyterhub-session-id"
_SIGNIN_SECONDS = 600
_SIGNINS_AT_ONCE = 5
_SESSION_DAYS = 14.0


@dataclass(frozen=True, slots=True)
class SigninUnderWay:
    """One tab's way through the hub's sign-in.

    Attributes:
        return_to: path and query to go back to.
        verifier: the PKCE verifier (RFC 7636); empty where the hub's library has none.
    """

    return_to: str
    verifier: str


class Cookies:
    """Seals and opens the cookies of one service."""

    def __init__(self, settings: SigninSettings) -> None:
        self._settings = settings
        self._session_name = f"labpool-{settings.service_name}"
        self._state_prefix = f"{self._session_name}-signin-"

    def remember_signin(self, request: Request, response: Response, state: str, signin: SigninUnderWay) -> None:
        """Keep one tab's sign-in for ten minutes, under its own name, so that two tabs don't disturb each other."""
        name = self._state_prefix + state
        sealed = self._seal(name, json.dumps([signin.return_to, signin.verifier]))
        self._set(request, response, name, sealed, max_age=_SIGNIN_SECONDS)
        earlier = [other for other in request.cookies if other.startswith(self._state_prefix)]
        for other in earlier[: max(0, len(earlier) + 1 - _SIGNINS_AT_ONCE)]:
            self._delete(response, other)

    def signin_under_way(self, request: Request, state: str) -> SigninUnderWay | None:
        """Return the sign-in that `state` began in this browser; None where it isn't ours or is too old."""
        name = self._state_prefix + state
        opened = self._open(name, request.cookies.get(name), max_age_days=_SIGNIN_SECONDS / 86400)
        if opened is None:
            return None
        return_to, verifier = json.loads(opened)
        return SigninUnderWay(return_to, verifier)

    def forget_signin(self, response: Response, state: str) -> None:
        """Remove what `remember_signin` kept."""
        self._delete(response, self._state_prefix + state)

    def open_session(self, request: Request, response: Response, token: str) -> None:
        """Keep the hub token that this browser got; it ends with the browser, like the hub's own session."""
        sealed = self._seal(self._session_name, json.dumps([token, _digest(hub_session(request))]))
        self._set(request, response, self._session_name, sealed, max_age=None)

    def session_token(self, request: Request) -> str | None:
        """Return the hub token of this browser; None where there is none, or where the hub's session is another one."""
        sealed = request.cookies.get(self._session_name)
        opened = self._open(self._session_name, sealed, max_age_days=_SESSION_DAYS)
        if opened is None:
            return None
        token, hub_session_digest = json.loads(opened)
        return token if hmac.compare_digest(hub_session_digest, _digest(hub_session(request))) else None

    def close_session(self, response: Response) -> None:
        """Remove the session of this browser."""
        self._delete(response, self._session_name)

    def xsrf_token(self, request: Request, token: str) -> str:
        """Return what a page of this session sends along with what changes something."""
        message = "\n".join(("xsrf", self._settings.service_name, hub_session(request), token))
        return hmac.new(self._settings.cookie_key, message.encode(), hashlib.sha256).hexdigest()

    def _seal(self, name: str, value: str) -> str:
        return create_signed_value(self._settings.cookie_key, name, value).decode("ascii")

    def _open(self, name: str, sealed: str | None, max_age_days: float) -> str | None:
        if not sealed:
            return None
        opened = decode_signed_value(self._settings.cookie_key, name, sealed, max_age_days=max_age_days, min_version=2)
        return None if opened is None else opened.decode()

    def _set(self, request: Request, response: Response, name: str, value: str, max_age: int | None) -> None:
        response.set_cookie(
            name,
            value,
            max_age=max_age,
            path=self._settings.prefix,
            secure=is_https(request),
            httponly=True,
            samesite="lax",
        )

    def _delete(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path=self._settings.prefix, httponly=True, samesite="lax")


def hub_session(request: Request) -> str:
    """Return the id of the hub's own session in this browser; it changes when the user signs out of the hub."""
    return request.cookies.get(HUB_SESSION_COOKIE, "")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
