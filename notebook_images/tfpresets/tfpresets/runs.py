"""Where a run's log goes, and where TensorBoard shows it."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from urllib.parse import quote

from tfpresets.environment import folder_name, read_environment


def run_dir(name: str = "run") -> Path:
    """Make a new folder for one run: `$LABPOOL_LOGS/<project>/<name>-<date>-<time>`, in UTC.

    Each call makes another one; a second one in the same second ends in -2. Outside labpool it lies in `logs/` of the
    current folder.

    Args:
        name: What the run is called in TensorBoard: letters, digits, dots, dashes and underscores.

    Raises:
        SettingError: `name` can't be a folder's name.
        OSError: the folder can't be written.
    """
    environment = read_environment(os.environ)
    parent = (environment.logs or Path("logs")) / (environment.project or "")
    parent.mkdir(parents=True, exist_ok=True)
    stem = f"{folder_name('the run name', name)}-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}"
    return next(made for number in count(1) if (made := _make_new(parent, stem, number)))


def _make_new(parent: Path, stem: str, number: int) -> Path | None:
    folder = parent / (stem if number == 1 else f"{stem}-{number}")
    try:
        folder.mkdir()
    except FileExistsError:
        return None
    return folder


def tensorboard_path() -> str | None:
    """Return the address of this project's TensorBoard on the hub, `/logs/<user>/<project>/`; None outside labpool."""
    environment = read_environment(os.environ)
    if environment.user is None or environment.project is None:
        return None
    return f"/logs/{quote(environment.user, safe='')}/{environment.project}/"
