"""TensorBoard's own web application on a Unix socket. Import this from `tensorboard_process` only: see there."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tensorboard import default, main_lib, program
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_FLAGS = ["--load_fast", "auto"]  # the data server reads a hundred runs in a second; Python's own reader takes a minute


def serve(logdir: str, socket_path: str, path_prefix: str) -> int:
    """Serve a folder until SIGTERM.

    Args:
        logdir: folder with the runs.
        socket_path: where to listen.
        path_prefix: path of the first page, without a slash at the end.

    Returns:
        the exit code.
    """
    main_lib.global_init()
    plugins = [*default.get_static_plugins(), ProjectorPlugin]
    tensorboard = program.TensorBoard(plugins=plugins, server_class=UnixSocketServer)
    tensorboard.configure(
        argv=["tensorboard", "--logdir", logdir, "--path_prefix", path_prefix, "--host", socket_path, *_FLAGS]
    )
    return int(tensorboard.main())


class _KeepAliveHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "gateway"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: whoever asked logs it."""


class UnixSocketServer(ThreadedWSGIServer):
    """TensorBoard's server class for a Unix socket; the path comes in its `--host` flag."""

    daemon_threads = True

    def __init__(self, wsgi_app: WSGIApplication, flags: argparse.Namespace) -> None:
        self._path_prefix = flags.path_prefix
        super().__init__(f"unix://{flags.host}", 0, wsgi_app, _KeepAliveHandler)

    def get_url(self) -> str:
        """Return an address for TensorBoard's notes, which want a port; there is none."""
        return f"http://localhost:1{self._path_prefix}/"

    def print_serving_message(self) -> None:
        """Say nothing: the address that people use isn't known here."""
