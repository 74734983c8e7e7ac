"""A user's folders on this machine: home with its first files, log folder and the server's runtime folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from gpuspawner.hub_errors import NotStarted

_FIRST_FILES_MARKER = ".labpool-first-files"


@dataclass(frozen=True, slots=True)
class UserFolders:
    """Where one server's user works. `home` is shared by all servers of the user, `runtime` is this server's."""

    home: Path
    logs: Path
    runtime: Path

    def prepare(self, first_files: Path | None) -> None:
        """Make what is missing. Files a user changed, or deleted after the first start, stay as they are."""
        for folder in (self.home, self.logs, self.runtime):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.runtime / "notice.json").unlink(missing_ok=True)  # said to the last server, and not true of this one
        if first_files is not None:
            _copy_once(first_files, self.home)
        _lead_to(self.home / "logs", self.logs)


def unusable_user_name(error: ValueError) -> NotStarted:
    """For a user whose name can't be a folder's."""
    message = f"This account can't have a home folder: {error}. Ask a lab admin for another name."
    return NotStarted(422, "unusable_user_name", message)


def _copy_once(source: Path, home: Path) -> None:
    marker = home / _FIRST_FILES_MARKER
    if marker.exists():
        return
    for path in sorted(source.rglob("*")):
        target = home / path.relative_to(source)
        if path.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    marker.touch()


def _lead_to(link: Path, folder: Path) -> None:
    dangling = link.is_symlink() and not link.exists()
    if dangling:
        link.unlink()
    if dangling or not link.exists():
        link.symlink_to(folder)
