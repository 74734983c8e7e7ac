"""A small service behind a real hub: a page, an API, a stream's stand-in and what a foreign page would send."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
import uvicorn
from fastapi import Depends, FastAPI, Request
from labpool.hub_signin import HubSignin, SignedIn, SigninSettings, read_or_create_cookie_key
from starlette.responses import PlainTextResponse

from tests.ports import free_ports
from tests.real_hub import RealHub, Service, is_healthy, running_hub, wait_until

PREFIX = "/services/sample/"
USERS = {"ada": ["researchers", "vision"], "lin": ["researchers"], "eve": []}


def make_service(signin: HubSignin) -> FastAPI:
    """Return an application that says who is signed in."""
    app = FastAPI()
    signin.install(app)

    @app.get(PREFIX + "healthz")
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get(PREFIX + "page/{rest:path}")
    async def page(request: Request, user: Annotated[SignedIn, Depends(signin.require_user)]) -> dict[str, object]:
        query = request.scope["query_string"].decode()
        path = request.scope["raw_path"].decode()
        return {
            "name": user.name,
            "groups": sorted(user.groups),
            "path": path,
            "query": query,
            "admin": user.admin,
            "kind": user.kind,
            "xsrf": signin.xsrf_token(request),
        }

    @app.post(PREFIX + "change")
    async def change(user: Annotated[SignedIn, Depends(signin.require_user)]) -> str:
        return user.name

    @app.get(PREFIX + "events")
    async def events(user: Annotated[SignedIn, Depends(signin.require_user_for_fetch)]) -> str:
        return user.name

    @app.post(PREFIX + "read-by-post")
    async def read_by_post(user: Annotated[SignedIn, Depends(signin.require_user_for_foreign_page)]) -> str:
        return user.name

    return app


@contextlib.contextmanager
def serving(app: FastAPI, port: int) -> Iterator[None]:
    """Serve an application with uvicorn in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: is_healthy(f"http://127.0.0.1:{port}{PREFIX}healthz"), "the service's first answer")
        yield
    finally:
        server.should_exit = True
        thread.join(15)


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHub]:
    """A hub with the sample service running behind it."""
    folder: Path = tmp_path_factory.mktemp("signin-hub")
    (port,) = free_ports(1)
    service = Service("sample", PREFIX, port, "token-of-the-sample-service")
    with running_hub(folder, [service], USERS) as hub:
        key = read_or_create_cookie_key(folder / "secrets" / "cookie-key")
        settings = SigninSettings("sample", PREFIX, hub.api_url, service.token, key, cache_seconds=2)
        with serving(make_service(HubSignin(settings)), port):
            yield hub
