"""The Jupyter server's one address of ours."""

from __future__ import annotations

import os

from jupyter_server.base.handlers import JupyterHandler
from tornado import web

from labpool_logs.server_extension.tile import gateway_path


class OpenTensorBoard(JupyterHandler):
    """Sends the browser to this server's project in the logs service."""

    def initialize(self, logs_prefix: str) -> None:
        """Take what the route was given."""
        self._logs_prefix = logs_prefix

    @web.authenticated
    def get(self) -> None:
        """Answer a click on the tile."""
        self.redirect(gateway_path(os.environ, self._logs_prefix))
