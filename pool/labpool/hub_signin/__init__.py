"""Sign-in through the hub's OAuth for FastAPI and Starlette services behind the hub's proxy.

A service makes one `HubSignin`, installs it in its application and names it as a dependency::

    key = read_or_create_cookie_key(data / "pool-cookie-key")
    signin = HubSignin(SigninSettings("pool", "/services/pool/", hub_api_url, api_token, key))
    app = FastAPI()
    signin.install(app)  # <prefix>oauth_callback, and the answers to refused requests

    @app.get("/services/pool/tickets/{ticket}")
    async def ticket_page(user: Annotated[SignedIn, Depends(signin.require_user)]) -> HTMLResponse: ...

    @app.get("/services/pool/api/v1/me/notices")
    async def notices(user: Annotated[SignedIn, Depends(signin.require_user_for_fetch)]) -> EventSourceResponse: ...

Who gets what:

- `Authorization: token …` or `Bearer …`: the token's owner; 401 where the hub doesn't know it. Cookies are not read.
- Session cookie, GET or HEAD navigation: the user.
- Session cookie, anything else: the user where the `X-XSRFToken` header is valid (`xsrf_token(request)` makes the value
  for a template), otherwise 403. `require_user_for_fetch` takes GET and HEAD without it, for what can't send headers.
- Neither, navigation: a redirect to the hub, and after sign-in to exactly what was asked for.
- Neither, anything else: 401.
- Signed in without the scope `access:services!service=<name>`: 403.
- The hub doesn't answer: 503 with Retry-After.

Why the session cookie isn't enough for a fetch: each user's JupyterLab has the same origin as this service, so neither
SameSite nor Origin tells a page of ours from a page in somebody's notebook server.

Refusals are problem details (RFC 9457) for programs and a short page for people; `install(app, refusal_page=…)` lets a
service show them in its own look. Services are known to the hub without a url, with
`oauth_redirect_uri = <prefix>oauth_callback` and `oauth_client_id = service-<name>`.
"""

from labpool.hub_signin.identity import SignedIn
from labpool.hub_signin.refusals import Refusal, RefusalPage, RequestRefused
from labpool.hub_signin.settings import SigninSettings, read_or_create_cookie_key
from labpool.hub_signin.signin import HubSignin

__all__ = [
    "HubSignin",
    "Refusal",
    "RefusalPage",
    "RequestRefused",
    "SignedIn",
    "SigninSettings",
    "read_or_create_cookie_key",
]
