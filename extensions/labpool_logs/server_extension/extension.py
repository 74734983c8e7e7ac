"""The server extension: reads what the spawner said, and connects the parts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from labpool.client import PoolClient
from tornado.web import RequestHandler
from traitlets import Float, Unicode

from labpool_logs.server_extension.first_use import FirstUse
from labpool_logs.server_extension.handlers import OpenTensorBoard
from labpool_logs.server_extension.notices import NoticeFile, NoticePolling
from labpool_logs.server_extension.person import Answered, is_use_by_a_person
from labpool_logs.server_extension.tile import REDIRECT_PATH

_NEEDED = ("LABPOOL_POOL_URL", "LABPOOL_TICKET_TOKEN", "LABPOOL_RUNTIME")


class LabpoolExtension(ExtensionApp):
    """Tells the pool of the first use, shows its notices, and leads the TensorBoard tile to the logs service."""

    name = "labpool"

    notice_seconds = Float(
        10.0,
        min=0.1,
        max=600.0,
        help="Seconds between two questions for a notice of the pool. 0.1 to 600, default 10.",
    ).tag(config=True)

    pool_timeout = Float(
        5.0,
        min=0.1,
        max=60.0,
        help="Longest wait for an answer of the pool in seconds; past it the question is asked again later. "
        "0.1 to 60, default 5.",
    ).tag(config=True)

    logs_prefix = Unicode(
        "/logs/",
        help="Path of the logs service as the browser sees it, with both slashes. Default: /logs/.",
    ).tag(config=True)

    _pool: PoolClient | None = None
    _first_use: FirstUse | None = None
    _notices: NoticePolling | None = None

    def initialize_handlers(self) -> None:
        """Add the tile's address, and watch requests where there is a ticket to claim."""
        assert self.serverapp is not None  # linked before any extension is initialized
        self.handlers.append((REDIRECT_PATH, OpenTensorBoard, {"logs_prefix": self.logs_prefix}))
        if ticket := os.environ.get("LABPOOL_TICKET"):
            self._connect(ticket, self.serverapp)

    async def stop_extension(self) -> None:
        """End what runs in the background."""
        if self._first_use is not None:
            self._first_use.stop()
        if self._notices is not None:
            self._notices.stop()
        if self._pool is not None:
            await self._pool.close()

    def _connect(self, ticket: str, server: ServerApp) -> None:
        missing = [name for name in _NEEDED if not os.environ.get(name)]
        if missing:
            self.log.error(
                "This server has a ticket, and %s is not set; expected the pool's spawner to set it. The pool will "
                "take the server for unused and stop it: stop it, start it again, and tell an administrator.",
                " and ".join(missing),
            )
            return
        self._pool = PoolClient(os.environ["LABPOOL_POOL_URL"], os.environ["LABPOOL_TICKET_TOKEN"], self.pool_timeout)
        self._first_use = FirstUse(self._pool, ticket, self.log)
        file = NoticeFile(Path(os.environ["LABPOOL_RUNTIME"]))
        self._notices = NoticePolling(self._pool, ticket, file, self.notice_seconds, self.log)
        server.io_loop.add_callback(self._notices.start)
        _watch_requests(server, self._first_use.happened)


def _watch_requests(server: ServerApp, used: Callable[[], None]) -> None:
    """Look at each request once it is answered: tornado calls its log function then."""
    settings, base_url = server.web_app.settings, server.base_url
    log_request: Callable[[RequestHandler], None] = settings["log_function"]

    def log_and_look(handler: RequestHandler) -> None:
        log_request(handler)
        if is_use_by_a_person(_answered(handler, base_url)) and _is_signed_in(handler):
            used()

    settings["log_function"] = log_and_look


def _answered(handler: RequestHandler, base_url: str) -> Answered:
    request = handler.request
    path = unquote(request.path).removeprefix(unquote(base_url)).lstrip("/")
    return Answered(request.method or "", path, handler.get_status(), dict(request.headers.items()))


def _is_signed_in(handler: RequestHandler) -> bool:
    return isinstance(handler, JupyterHandler) and bool(handler.current_user)
