"""The log store's folders: which projects a user has, and whether a folder is safe to show."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from labpool_logs.gateway.addresses import is_folder_name

_EVENT_FILE = "tfevents"
_MOST_ENTRIES = 200_000


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """One project of the list.

    Attributes:
        name: the project's name.
        runs: folders that hold event files.
        last_event: when the newest event file was last written to, in UTC; None where there is none.
    """

    name: str
    runs: int
    last_event: datetime | None


@dataclass(frozen=True, slots=True)
class Unsafe:
    """Why a folder isn't shown: what stands where, relative to the log store."""

    path: str
    what: str


@dataclass(frozen=True, slots=True)
class LogStore:
    """Reads `<root>/<user>/<project>/<run>/…`. Names must be checked before: see `addresses`."""

    root: Path

    def project(self, user: str, project: str) -> Path:
        """Return a project's folder, whether or not it exists."""
        return self.root / user / project

    def projects(self, user: str) -> list[ProjectSummary]:
        """Return a user's projects, the one written to last first."""
        folder = self.root / user
        if not _is_real_folder(folder):
            return []
        with os.scandir(folder) as entries:
            names = [each.name for each in entries if each.is_dir(follow_symlinks=False) and is_folder_name(each.name)]
        oldest = datetime.min.replace(tzinfo=timezone.utc)
        summaries = sorted((_summary(folder / name) for name in names), key=lambda each: each.name)
        return sorted(summaries, key=lambda each: each.last_event or oldest, reverse=True)

    def has_events(self, user: str, project: str) -> bool:
        """Say whether anything was logged in a project."""
        return next(_event_files(self.project(user, project)), None) is not None

    def unsafe(self, user: str, project: str) -> Unsafe | None:
        """Return what makes a project's folder unsafe to show; None where nothing does.

        TensorBoard follows links, also to what other users logged, and waits for ever at a pipe.
        """
        for folder in (self.root / user, self.project(user, project)):
            status = _status(folder)
            if status is not None and not stat.S_ISDIR(status.st_mode):
                return Unsafe(self._name(folder), _describe(status) or "a file")
        for count, entry in enumerate(_walk(self.project(user, project)), start=1):
            if count > _MOST_ENTRIES:
                return Unsafe(self._name(self.project(user, project)), f"more than {_MOST_ENTRIES} files")
            status = _status(Path(entry.path))
            if status is not None and (what := _describe(status)):
                return Unsafe(self._name(Path(entry.path)), what)
        return None

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _summary(folder: Path) -> ProjectSummary:
    runs: set[str] = set()
    newest = 0.0
    for entry in _event_files(folder):
        runs.add(str(Path(entry.path).parent))
        status = _status(Path(entry.path))
        newest = max(newest, status.st_mtime if status else 0.0)
    return ProjectSummary(folder.name, len(runs), datetime.fromtimestamp(newest, timezone.utc) if runs else None)


def _event_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    return (each for each in _walk(folder) if _EVENT_FILE in each.name and each.is_file(follow_symlinks=False))


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield everything below a folder, following no link; what can't be read is left out."""
    folders = [folder] if _is_real_folder(folder) else []
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                found = list(entries)
        except OSError:  # gone meanwhile, or closed to us: TensorBoard can't read it either
            continue
        folders += [Path(each.path) for each in found if each.is_dir(follow_symlinks=False)]
        yield from found


def _is_real_folder(path: Path) -> bool:
    status = _status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _describe(status: os.stat_result) -> str:
    """Return what an entry is, or "" for an ordinary folder or file."""
    if stat.S_ISDIR(status.st_mode):
        return ""
    if stat.S_ISLNK(status.st_mode):
        return "a symbolic link"
    if not stat.S_ISREG(status.st_mode):
        return "a pipe, socket or device"
    return "a file with more than one name (hard link)" if status.st_nlink > 1 else ""
