"""The gateway's application: who asks for what, and what they get."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from pathlib import Path

from labpool.hub_signin import HubSignin, Refusal, SignedIn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from labpool_logs.gateway import reasons
from labpool_logs.gateway.addresses import Address, FrontPage, NoAddress, ProjectAddress, UserFolder, read_address
from labpool_logs.gateway.child import TensorBoardFailed
from labpool_logs.gateway.forwarding import BodyTooLarge, TensorBoardGone, forward, read_body
from labpool_logs.gateway.log_store import LogStore
from labpool_logs.gateway.pages import Pages
from labpool_logs.gateway.settings import GatewaySettings
from labpool_logs.gateway.tensorboards import Limits, TensorBoards, UnsafeFolder

_LOG = logging.getLogger(__name__)
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_TENSORBOARDS_METHODS = {"GET", "HEAD", "POST"}


class Gateway:
    """Answers everything below the prefix that isn't a file of our own pages."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.signin = HubSignin(settings.signin())
        self.pages = Pages(settings.prefix, settings.hub_base_url)
        self.store = LogStore(settings.log_store)
        limits = Limits(settings.at_once, settings.idle_minutes * 60, settings.start_seconds)
        self.tensorboards = TensorBoards(self.store, settings.prefix, limits)
        self._prefix, self._check_seconds = settings.prefix, settings.check_seconds

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        address = read_address(request.scope["raw_path"], self._prefix)
        if isinstance(address, NoAddress):
            return self.signin.refuse(request, reasons.no_address())
        user = await self.signin.require_user_for_foreign_page(request)
        refusal = _refusal(user, address)
        if refusal is None and request.method not in _TENSORBOARDS_METHODS:
            refusal = reasons.method_not_allowed()
        if refusal is not None:
            return self.signin.refuse(request, refusal)
        if isinstance(address, ProjectAddress) and address.rest is not None:
            return await self._project(request, address)
        return await self._own_page(request, user)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Look after the TensorBoards as long as the application runs, and end them with it."""
        tidying = asyncio.create_task(self._tidy_again_and_again())
        try:
            yield
        finally:
            tidying.cancel()
            await self.tensorboards.close()

    async def _own_page(self, request: Request, user: SignedIn) -> Response:
        path = request.scope["raw_path"].decode("ascii")
        if not path.endswith("/"):
            return RedirectResponse(f"{path}/", 302)
        if path != self._prefix:
            return RedirectResponse(self._prefix, 302)
        projects = await asyncio.to_thread(self.store.projects, user.name)
        return self.pages.projects(user.name, projects, datetime.now(timezone.utc))

    async def _project(self, request: Request, address: ProjectAddress) -> Response:
        user, project = address.user, address.project
        try:
            body = await read_body(request)
            if not await asyncio.to_thread(self.store.has_events, user, project):
                return await self._nothing_yet(address)
            return await self._from_tensorboard(request, body, address)
        except BodyTooLarge:
            return self.signin.refuse(request, reasons.body_too_large())
        except UnsafeFolder as error:
            return self.signin.refuse(request, reasons.unsafe_folder(error.unsafe))
        except (TensorBoardFailed, TensorBoardGone) as error:
            refusal = reasons.start_failed(f"{self._prefix}{user}/{project}/")
            said = str(error).replace(f"/{user}/", "/its user/")
            _LOG.error("tensorboard failed: %s", said, extra={"project": project, "refusal": refusal.id})
            return self.signin.refuse(request, refusal)

    async def _nothing_yet(self, address: ProjectAddress) -> Response:
        unsafe = await asyncio.to_thread(self.store.unsafe, address.user, address.project)
        if unsafe is not None:
            raise UnsafeFolder(unsafe)
        return self.pages.nothing_yet(address.user, address.project)

    async def _from_tensorboard(self, request: Request, body: bytes, address: ProjectAddress) -> Response:
        child = await self.tensorboards.running(address.user, address.project)
        try:
            return await forward(request, body, child)
        except TensorBoardGone:  # it crashed, or was ended for another one just now; it only reads, so once more
            another = await self.tensorboards.running(address.user, address.project, instead_of=child)
            return await forward(request, body, another)

    async def _tidy_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(self._check_seconds)
            await self.tensorboards.tidy()


def make_app(settings: GatewaySettings) -> Starlette:
    """Return the gateway as an application that sees full paths, prefix included."""
    gateway = Gateway(settings)
    prefix = settings.prefix
    routes = [
        Route(f"{prefix}healthz", _healthz),
        Mount(f"{prefix}-", StaticFiles(directory=Path(__file__).parent / "static")),
        Route("/{path:path}", gateway.answer, methods=_METHODS),
    ]
    app = Starlette(routes=routes, lifespan=gateway.lifespan)
    gateway.signin.install(app, gateway.pages.refusal)
    return app


def _refusal(user: SignedIn, address: Address) -> Refusal | None:
    if user.kind != "user":
        return reasons.not_a_user()
    match address:
        case UserFolder(owner) | ProjectAddress(user=owner) if owner != user.name:
            return reasons.not_yours()
        case FrontPage() | UserFolder() | ProjectAddress():
            return None
        case _:
            return reasons.no_address()


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})
