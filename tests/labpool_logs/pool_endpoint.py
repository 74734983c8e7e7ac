"""A small real HTTP endpoint in the pool's place: it keeps what it was asked and answers what a test sets.

A stand-in, so that a test can take it down and choose each answer; that the pool answers alike is tested elsewhere.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.ports import free_ports

PREFIX = "/services/pool"


@dataclass
class PoolEndpoint:
    """Where claims are counted and the notice is set."""

    port: int = field(default_factory=lambda: free_ports(1)[0])
    claims: list[tuple[str, str]] = field(default_factory=list)
    polls: int = 0
    asked: int = 0
    notice: Mapping[str, object] | None = None
    refusal: int | None = None
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """The address that a server of the pool is given."""
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    def start(self) -> None:
        """Answer from now on."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer_claim(self, path: str, authorization: str) -> int:
        """Return the status for a claim."""
        self.asked += 1
        if self.refusal is not None:
            return self.refusal
        self.claims.append((path.removeprefix(PREFIX), authorization))
        return 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self._reply(endpoint.answer_claim(self.path, self.headers["Authorization"]), b"")

            def do_GET(self) -> None:
                endpoint.polls += 1
                if endpoint.notice is None:
                    self._reply(204, b"")
                else:
                    self._reply(200, json.dumps(endpoint.notice).encode())

            def log_message(self, *args: object) -> None:
                """Say nothing."""

            def _reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler
