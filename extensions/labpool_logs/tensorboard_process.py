"""One TensorBoard over one folder, on a Unix socket: `python -m labpool_logs.tensorboard_process`.

It is the real TensorBoard with three differences. It never loads TensorFlow, which takes seconds and half a gigabyte.
It listens on a socket in a private folder, so that nobody else on the machine reaches it around the gateway. And it
loads the plugins that TensorBoard itself ships and no others that happen to be installed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM.

    Returns:
        the exit code.
    """
    options = _options(arguments)
    if options.end_with_stdin:
        folder = Path(options.socket).parent
        threading.Thread(target=_end_with_stdin, args=(folder,), name="end-with-stdin", daemon=True).start()
    _keep_tensorflow_out()
    from labpool_logs.tensorboard_server import serve  # noqa: PLC0415 (TensorBoard decides about TensorFlow at import)

    return serve(options.logdir, options.socket, options.path_prefix)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="TensorBoard on a Unix socket, without TensorFlow")
    parser.add_argument("--logdir", required=True, help="folder with the runs")
    parser.add_argument("--socket", required=True, help="path of the Unix socket to listen on")
    parser.add_argument("--path-prefix", required=True, help="path of the first page, without a slash at the end")
    parser.add_argument(
        "--end-with-stdin",
        action="store_true",
        help="end when standard input closes, for the parent is gone then, and remove the socket's folder",
    )
    return parser.parse_args(arguments)


def _end_with_stdin(folder: Path) -> None:
    """End when the parent's end of the pipe closes, which the kernel sees to whatever the parent died of."""
    while os.read(sys.stdin.fileno(), 1024):  # not sys.stdin: its lock would be held while Python shuts down
        pass
    shutil.rmtree(folder, ignore_errors=True)  # nobody else is left to do it
    os._exit(0)  # TensorBoard's data server watches a pipe of ours in the same way


def _keep_tensorflow_out() -> None:
    """Make TensorBoard use its own stub: it looks for this module, which its TensorFlow-free build contains."""
    sys.modules["tensorboard.compat.notf"] = ModuleType("tensorboard.compat.notf")


if __name__ == "__main__":
    sys.exit(main())
