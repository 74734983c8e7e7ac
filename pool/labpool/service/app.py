"""The service as a FastAPI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from labpool.service import (
    admin_routes,
    audit_routes,
    pages,
    people_routes,
    preference_routes,
    reservation_routes,
    rule_routes,
    spawner_routes,
    taking_down,
    ticket_routes,
    usage_routes,
)
from labpool.service.body_limit import BodyLimit
from labpool.service.carrying_out import CarryingOut
from labpool.service.metrics import routes as metric_routes
from labpool.service.openapi import describe
from labpool.service.page_files import PageFiles
from labpool.service.parts import Parts
from labpool.service.problems import install_problems
from labpool.service.request_log import RequestLog
from labpool.service.stand_by import StandBy, health
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
    usage_routes,
    audit_routes,
    taking_down,
)


def make_app(parts: Parts) -> FastAPI:
    """The application of one pool; it decides and sends notices for as long as it is served and leads."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await parts.leading.start()
        carrying = asyncio.create_task(CarryingOut(app, parts).run())
        try:
            yield
        finally:
            carrying.cancel()
            await parts.leading.stop()

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
    app.add_middleware(StandBy, leading=parts.leading, signin=parts.signin)
    app.add_middleware(RequestLog, desk=parts.desk)  # the last one that is added is the first that sees a request
    parts.signin.install(app, pages.refusal_page)
    install_problems(app, parts.signin)
    install_unavailable(app, parts.signin, parts.leading)
    for part in _API:
        app.include_router(part.routes, prefix=f"{PREFIX}/api/v1")
    app.include_router(taking_down.hidden, prefix=PREFIX)
    app.include_router(health, prefix=PREFIX)
    app.include_router(metric_routes.routes, prefix=PREFIX)
    app.mount(f"{PREFIX}/static", PageFiles(), name="static")
    app.include_router(pages.routes, prefix=PREFIX)
    describe(app)
    return app
