"""The service as a FastAPI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import APIRouter, FastAPI

from labpool.service import (
    admin_routes,
    pages,
    people_routes,
    preference_routes,
    reservation_routes,
    rule_routes,
    spawner_routes,
    ticket_routes,
)
from labpool.service.body_limit import BodyLimit
from labpool.service.metrics import routes as metric_routes
from labpool.service.openapi import describe
from labpool.service.page_files import PageFiles
from labpool.service.parts import Parts
from labpool.service.problems import install_problems
from labpool.service.unavailable import install_unavailable
from labpool.service.viewing import PREFIX

__all__ = ["PREFIX", "make_app"]

_API = (
    spawner_routes,
    ticket_routes,
    preference_routes,
    reservation_routes,
    people_routes,
    admin_routes,
    rule_routes,
)


def make_app(parts: Parts) -> FastAPI:
    """The application of one pool; it reconciles and sends notices for as long as it is served."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        works = (parts.reconciler, parts.post, parts.nearing, parts.head_keeper)
        activities = [asyncio.create_task(each.run()) for each in works]
        try:
            yield
        finally:
            for activity in activities:
                activity.cancel()
                with suppress(asyncio.CancelledError):
                    await activity
            await parts.head_keeper.write()

    app = FastAPI(
        title="labpool",
        description="Who gets which GPU of the lab's pool, when and for how long.",
        version="1",
        lifespan=lifespan,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    app.add_middleware(BodyLimit)
    parts.signin.install(app, pages.refusal_page)
    install_problems(app, parts.signin)
    install_unavailable(app, parts.signin)
    for part in _API:
        app.include_router(part.routes, prefix=f"{PREFIX}/api/v1")
    app.include_router(_health, prefix=PREFIX)
    app.include_router(metric_routes.routes, prefix=PREFIX)
    app.mount(f"{PREFIX}/static", PageFiles(), name="static")
    app.include_router(pages.routes, prefix=PREFIX)
    describe(app)
    return app


_health = APIRouter(tags=["health"])


@_health.get("/healthz", summary="Whether the pool answers")
async def healthz() -> dict[str, str]:
    """Answers without sign-in."""
    return {"status": "ok"}
