"""The hub's part of a sign-in: tokens for codes, and people for tokens."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from jupyterhub.services.auth import HubOAuth
from tornado.web import HTTPError

from labpool.hub_signin.identity import SignedIn, signed_in_from_hub
from labpool.hub_signin.settings import SigninSettings

_Answer = TypeVar("_Answer")


class HubUnavailable(Exception):
    """The hub doesn't answer, or not with what it should."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """Where to send a browser, and what to keep until it comes back."""

    url: str
    state: str
    verifier: str


class HubTokens:
    """Asks the hub with the hub's own client library, which is the same for Hub 5.5 and 6."""

    def __init__(self, settings: SigninSettings) -> None:
        self._settings = settings
        self._oauth = HubOAuth(
            api_url=settings.hub_api_url.rstrip("/"),
            api_token=settings.api_token,
            base_url=settings.prefix,
            hub_prefix=settings.hub_prefix,
            oauth_client_id=settings.oauth_client_id,
            oauth_redirect_uri=settings.callback_path,
            access_scopes={settings.access_scope},
            cache_max_age=settings.cache_seconds,
        )
        self._pkce = hasattr(self._oauth, "generate_pkce_code_challenge")  # since 6.0; a 5.5 hub ignores it

    def new_authorization(self) -> Authorization:
        """Return a new way through the hub's sign-in."""
        query = {
            "client_id": self._settings.oauth_client_id,
            "redirect_uri": self._settings.callback_path,
            "response_type": "code",
            "state": (state := secrets.token_urlsafe(16)),
        }
        verifier = ""
        if self._pkce:
            verifier, challenge, method = self._oauth.generate_pkce_code_challenge()
            query |= {"code_challenge": challenge, "code_challenge_method": method}
        return Authorization(f"{self._oauth.oauth_authorization_url}?{urlencode(query)}", state, verifier)

    async def token_for_code(self, code: str, verifier: str) -> str:
        """Exchange the code that the hub gave to the browser.

        Raises:
            HubUnavailable: no answer, or the hub refused the code.
        """
        proof = {"code_verifier": verifier} if verifier else {}
        return str(await self._answer(self._oauth.token_for_code(code, sync=False, **proof)))

    async def owner_of(self, token: str, hub_session: str) -> SignedIn | None:
        """Return whom `token` belongs to; None where the hub doesn't know it (any more).

        Args:
            token: a hub token of any kind.
            hub_session: id of the browser's hub session; answers are remembered for each session apart, so that what
                was remembered isn't found again after signing out.

        Raises:
            HubUnavailable: no answer, or one that makes no sense.
        """
        model = await self._answer(self._oauth.user_for_token(token, session_id=hub_session, sync=False))
        return None if model is None else signed_in_from_hub(model)

    async def _answer(self, asking: Awaitable[_Answer]) -> _Answer:
        try:
            return await asyncio.wait_for(asking, self._settings.hub_timeout_seconds)
        except HTTPError as error:
            raise HubUnavailable(f"the hub at {self._settings.hub_api_url} failed: {error.log_message}") from error
        except asyncio.TimeoutError as error:
            waited = self._settings.hub_timeout_seconds
            raise HubUnavailable(f"the hub at {self._settings.hub_api_url} gave no answer in {waited:g} s") from error
