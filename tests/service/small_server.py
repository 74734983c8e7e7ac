"""The smallest single-user server that the hub takes for one: answers every request with 200, ends on SIGTERM."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import jupyterhub


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", jupyterhub.__version__)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
ThreadingHTTPServer(("127.0.0.1", address.port or 0), Answer).serve_forever()
