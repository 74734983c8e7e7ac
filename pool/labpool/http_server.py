"""How our services serve HTTP behind the hub's proxy."""

from __future__ import annotations

from typing import Any

import uvicorn

_KEEP_ALIVE_SECONDS = 3600
"""How long an idle connection stays open. The proxy reuses its connections and never ends them by itself: one that we
end just as it sends the next request is a 503 on somebody's page. Tornado, and so the hub, waits as long."""

_SECONDS_TO_FINISH = 2


def server_config(app: Any, host: str, port: int) -> uvicorn.Config:
    """How uvicorn is to serve an ASGI application that writes its own log.

    Args:
        app: The ASGI application.
        host: The address to listen on.
        port: Its TCP port.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
    )
