"""The TensorBoard tile in Lab's launcher, through jupyter-server-proxy."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

REDIRECT_PATH = "labpool/tensorboard"
_SECONDS_TO_START = 60


def is_on_labpool(environment: Mapping[str, str]) -> bool:
    """Say whether a hub with the logs service started this server."""
    return bool(environment.get("JUPYTERHUB_USER") and environment.get("LABPOOL_LOGS"))


def gateway_path(environment: Mapping[str, str], logs_prefix: str) -> str:
    """Return where the logs service shows this server's project; without one, its list of projects."""
    user, project = environment.get("JUPYTERHUB_USER", ""), environment.get("LABPOOL_PROJECT", "")
    return f"{logs_prefix}{quote(user)}/{quote(project)}/" if user and project else logs_prefix


def tensorboard_server() -> dict[str, object]:
    """Return the tile's definition for jupyter-server-proxy.

    On a server of the pool it opens the logs service, which goes on when the server has stopped. Elsewhere it starts a
    TensorBoard over the logs folder. Neither counts as activity: a forgotten tab must not keep a GPU.
    """
    command = [sys.executable, "-m", "labpool_logs.tensorboard_process"]
    arguments = ["--logdir", _logs_folder(), "--socket", "{unix_socket}", "--path-prefix", "{base_url}tensorboard"]
    return {
        "command": [*command, *arguments],
        "unix_socket": True,
        "absolute_url": True,
        "timeout": _SECONDS_TO_START,
        "update_last_activity": False,
        "new_browser_tab": True,
        "launcher_entry": {
            "title": "TensorBoard",
            "icon_path": str(Path(__file__).with_name("tensorboard.svg")),
            "path_info": REDIRECT_PATH if is_on_labpool(os.environ) else "tensorboard/",
        },
    }


def _logs_folder() -> str:
    return os.environ.get("LABPOOL_LOGS") or str(Path.home() / "logs")
