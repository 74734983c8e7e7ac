"""A kernel of a running JupyterLab, spoken to over Lab's own websocket as its pages do (jupyter_client, messaging)."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import websocket

LONGEST_SILENCE = 240.0
"""Seconds without any message after which a cell counts as stuck: TensorFlow's import on two busy cores."""


class CellFailed(AssertionError):
    """The code raised; the message is the traceback."""


@dataclass
class Kernel:
    """One kernel's channels. `pid` is its process."""

    id: str
    socket: websocket.WebSocket
    session: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def pid(self) -> int:
        return int(self.run("import os; print(os.getpid())"))

    def run(self, code: str) -> str:
        """Run one cell and return what it showed."""
        message = self._send(code)
        shown: list[str] = []
        while True:
            received = json.loads(self.socket.recv())
            if received["channel"] != "iopub" or received["parent_header"].get("msg_id") != message:
                continue
            kind, content = received["header"]["msg_type"], received["content"]
            if kind == "error":
                raise CellFailed("\n".join(content["traceback"]))
            if kind == "status" and content["execution_state"] == "idle":
                return "".join(shown)
            shown.append(_text(content))

    def _send(self, code: str) -> str:
        message = uuid.uuid4().hex
        header = {"msg_id": message, "msg_type": "execute_request", "session": self.session, "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        request = {"header": header | {"username": "test", "date": ""}, "content": content, "channel": "shell"}
        self.socket.send(json.dumps(request | {"parent_header": {}, "metadata": {}, "buffers": []}))
        return message


def _text(content: dict[str, Any]) -> str:
    data = content.get("data", {})
    return str(content.get("text") or data.get("text/markdown") or data.get("text/plain") or "")


@contextlib.contextmanager
def connected(url: str, kernel: str, token: str) -> Iterator[Kernel]:
    """Open a kernel's channels; `url` is the server's address with a slash at its end."""
    address = f"{url.replace('http', 'ws', 1)}api/kernels/{kernel}/channels"
    header = [f"Authorization: token {token}"]
    socket = websocket.create_connection(address, timeout=LONGEST_SILENCE, header=header, http_no_proxy=["*"])
    try:
        yield Kernel(kernel, socket)
    finally:
        socket.close()
