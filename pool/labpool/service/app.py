"""The service as a FastAPI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import APIRouter, FastAPI

from labpool.service import pages, people_routes, reservation_routes, spawner_routes, ticket_routes, usage_routes
from labpool.service.body_limit import BodyLimit
from labpool.service.page_files import PageFiles
from labpool.service.parts import Parts
from labpool.service.problems import install_problems
from labpool.service.viewing import PREFIX

__all__ = ["PREFIX", "make_app"]


def make_app(parts: Parts) -> FastAPI:
    """The application of one pool; it reconciles for as long as it is served."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work) for work in (parts.reconciler.run(), parts.head_keeper.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
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
    app.include_router(spawner_routes.routes, prefix=f"{PREFIX}/api/v1")
    app.include_router(ticket_routes.routes, prefix=f"{PREFIX}/api/v1")
    app.include_router(reservation_routes.routes, prefix=f"{PREFIX}/api/v1")
    app.include_router(people_routes.routes, prefix=f"{PREFIX}/api/v1")
    app.include_router(usage_routes.routes, prefix=f"{PREFIX}/api/v1")
    app.include_router(_health, prefix=PREFIX)
    app.mount(f"{PREFIX}/static", PageFiles(), name="static")
    app.include_router(pages.routes, prefix=PREFIX)
    return app


_health = APIRouter(tags=["health"])


@_health.get("/healthz", summary="Whether the pool answers")
async def healthz() -> dict[str, str]:
    """Answers without sign-in."""
    return {"status": "ok"}
