"""The sign-in of one service: dependencies that name the user, and the way through the hub."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from labpool.hub_signin.cookies import Cookies, SigninUnderWay, hub_session
from labpool.hub_signin.hub_tokens import HubTokens, HubUnavailable
from labpool.hub_signin.identity import SignedIn
from labpool.hub_signin.reasons import (
    hub_is_down,
    missing_xsrf_token,
    no_access,
    not_signed_in,
    signin_denied,
    signin_expired,
    unknown_token,
)
from labpool.hub_signin.refusals import (
    Refusal,
    RefusalPage,
    RequestRefused,
    SigninRefused,
    as_page,
    as_problem,
    plain_page,
)
from labpool.hub_signin.request_kind import (
    bearer_token,
    is_navigation,
    is_reading,
    is_reading_or_same_origin,
    return_path,
    safe_return_path,
    wants_page,
)
from labpool.hub_signin.settings import SigninSettings

if TYPE_CHECKING:
    from starlette.applications import Starlette

XSRF_HEADER = "X-XSRFToken"
_RETRY_SECONDS = 5
_LOG = logging.getLogger(__name__)


class HubSignin:
    """Signs people in through the hub and says who is behind a request."""

    def __init__(self, settings: SigninSettings) -> None:
        self.settings = settings
        self._tokens = HubTokens(settings)
        self._cookies = Cookies(settings)
        self._page: RefusalPage = plain_page

    def install(self, app: Starlette, refusal_page: RefusalPage = plain_page) -> None:
        """Add the callback route and the answers to refused requests to an application.

        Args:
            app: a FastAPI or Starlette application that sees full paths, prefix included.
            refusal_page: makes the page that a person sees instead of the problem details.
        """
        self._page = refusal_page
        # first, so that no route of the service with a placeholder takes it
        app.router.routes.insert(0, Route(self.settings.callback_path, self._callback, include_in_schema=False))
        app.add_exception_handler(RequestRefused, _answer_refused)

    async def require_user(self, request: Request) -> SignedIn:
        """Return who is behind the request: a dependency for pages and for the API.

        Raises:
            RequestRefused: answered by `install` with a redirect to the hub, 401, 403 or 503.
        """
        return await self._require(request, is_navigation)

    async def require_user_for_fetch(self, request: Request) -> SignedIn:
        """Like `require_user`, and takes the session cookie for any GET or HEAD.

        For what a page of ours reads without being able to send a header (EventSource). It must change nothing.

        Raises:
            RequestRefused: answered by `install` with a redirect to the hub, 401, 403 or 503.
        """
        return await self._require(request, is_reading)

    async def require_user_for_foreign_page(self, request: Request) -> SignedIn:
        """Like `require_user_for_fetch`, and takes the session cookie for what a page of the same origin sends.

        For a page that isn't ours and knows no XSRF token (TensorBoard, which reads with POST). It must change nothing.

        Raises:
            RequestRefused: answered by `install` with a redirect to the hub, 401, 403 or 503.
        """
        return await self._require(request, is_reading_or_same_origin)

    def xsrf_token(self, request: Request) -> str:
        """Return the value that a page of this session must send as `X-XSRFToken`; empty without a session."""
        token = self._cookies.session_token(request)
        return "" if token is None else self._cookies.xsrf_token(request, token)

    def has_valid_xsrf_token(self, request: Request) -> bool:
        """Say whether the request carries the XSRF token of its own session."""
        expected = self.xsrf_token(request)
        sent = request.headers.get(XSRF_HEADER, "")
        return bool(expected) and hmac.compare_digest(expected.encode(), sent.encode())

    def refuse(self, request: Request, refusal: Refusal) -> Response:
        """Return a refusal in the form that suits the request: page or problem details."""
        _LOG.info("request refused", extra={"refusal": refusal.id, "status": refusal.status, "reason": refusal.reason})
        return as_page(refusal, self._page) if wants_page(request) else as_problem(refusal)

    async def _require(self, request: Request, trusts_cookie: Callable[[Request], bool]) -> SignedIn:
        try:
            user = await self._identify(request, trusts_cookie)
        except SigninRefused as error:
            raise RequestRefused(self.refuse(request, error.refusal), str(error)) from error
        except HubUnavailable as error:
            raise RequestRefused(self._hub_is_down(request, error), str(error)) from error
        if user is None:
            raise RequestRefused(self._ask_to_sign_in(request), "not signed in")
        request.state.caller = user  # for who logs requests
        return user

    async def _identify(self, request: Request, trusts_cookie: Callable[[Request], bool]) -> SignedIn | None:
        token = bearer_token(request)
        if token is not None:
            owner = await self._tokens.owner_of(token, "") if token else None
            if owner is None:
                raise SigninRefused(unknown_token())
            return self._with_access(owner)
        token = self._cookies.session_token(request)
        owner = await self._tokens.owner_of(token, hub_session(request)) if token else None
        if owner is None:
            return None
        if not (trusts_cookie(request) or self.has_valid_xsrf_token(request)):
            raise SigninRefused(missing_xsrf_token(XSRF_HEADER))
        return self._with_access(owner)

    def _with_access(self, owner: SignedIn) -> SignedIn:
        if not owner.has_scope(self.settings.access_scope):
            raise SigninRefused(no_access(owner.name, self.settings.service_name))
        return owner

    def _ask_to_sign_in(self, request: Request) -> Response:
        if not is_navigation(request):
            return self.refuse(request, not_signed_in(self.settings.prefix))
        authorization = self._tokens.new_authorization()
        under_way = SigninUnderWay(return_path(request, self.settings.prefix), authorization.verifier)
        response = RedirectResponse(authorization.url, 302, {"Cache-Control": "no-store"})
        self._cookies.remember_signin(request, response, authorization.state, under_way)
        return response

    async def _callback(self, request: Request) -> Response:
        """Take the code that the hub sent the browser back with, and return to what was asked for."""
        state = request.query_params.get("state", "")
        under_way = self._cookies.signin_under_way(request, state)
        if under_way is None:
            return self.refuse(request, signin_expired(self.settings.prefix))
        try:
            response = await self._finish(request, under_way)
        except SigninRefused as error:
            response = self.refuse(request, error.refusal)
        except HubUnavailable as error:
            response = self._hub_is_down(request, error)
        self._cookies.forget_signin(response, state)
        return response

    async def _finish(self, request: Request, under_way: SigninUnderWay) -> Response:
        code = request.query_params.get("code", "")
        if not code:
            raise SigninRefused(signin_denied(request.query_params.get("error", ""), self.settings.prefix))
        token = await self._tokens.token_for_code(code, under_way.verifier)
        return_to = safe_return_path(under_way.return_to, self.settings.prefix)
        response = RedirectResponse(return_to, 302, {"Cache-Control": "no-store"})
        self._cookies.open_session(request, response, token)
        return response

    def _hub_is_down(self, request: Request, error: HubUnavailable) -> Response:
        refusal = hub_is_down(_RETRY_SECONDS, return_path(request, self.settings.prefix))
        _LOG.warning("the hub can't be asked: %s", error, extra={"refusal": refusal.id})
        return self.refuse(request, refusal)


async def _answer_refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestRefused):
        raise error
    return error.response
