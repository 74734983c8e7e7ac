"""The Jupyter server's link to the pool: the TensorBoard tile, the first use, and notices.

Enable it with `--ServerApp.jpserver_extensions="{'labpool_logs.server_extension': True}"`. Outside the pool it does
nothing but offer the tile.
"""

from __future__ import annotations

from labpool_logs.server_extension.extension import LabpoolExtension

__all__ = ["LabpoolExtension"]


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    return [{"module": "labpool_logs.server_extension", "app": LabpoolExtension}]
