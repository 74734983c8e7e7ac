"""What the pages load: always asked for anew, so that a page and its scripts are of one version."""

from __future__ import annotations

from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

from labpool.page_assets import ASSETS


class PageFiles(StaticFiles):
    """Serves styles, icons and scripts; an unchanged one is answered with 304."""

    def __init__(self) -> None:
        super().__init__(directory=ASSETS)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file at `path`, or 404."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
