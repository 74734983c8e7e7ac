"""Scripts and styles of our parts of the hub's pages, beside the hub's own below `/hub/static/`."""

from __future__ import annotations

from pathlib import Path

from jupyterhub.handlers.static import CacheControlStaticFilesHandler
from labpool.page_assets import ASSETS

_OURS = "labpool/"


class HubStaticFiles(CacheControlStaticFilesHandler):
    """The hub's static files, and `labpool/…` from our own folder.

    For `c.JupyterHub.tornado_settings["static_handler_class"]`: the hub has no other place for files of its pages, and
    a service's files would be gone with the service.
    """

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """Where `path` lies; also what the version in its address is made of."""
        ours = path.startswith(_OURS)
        found: str = super().get_absolute_path(str(ASSETS) if ours else root, path.removeprefix(_OURS))
        return found

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Refuse what lies in neither folder."""
        ours = Path(absolute_path).resolve().is_relative_to(ASSETS)
        allowed: str | None = super().validate_absolute_path(str(ASSETS) if ours else root, absolute_path)
        return allowed
