"""The command line, run as people run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Labpool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def labpool(tmp_path_factory: pytest.TempPathFactory) -> Labpool:
    """Runs the command in a window of 100 columns; an empty file shadows the driver's library if there is one."""
    shadow = tmp_path_factory.mktemp("no-driver")
    (shadow / "libnvidia-ml.so.1").touch()

    def run(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        return run_labpool(*arguments, **{"LD_LIBRARY_PATH": str(shadow), **environ})

    return run


def run_labpool(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a window of 100 columns, with nothing of this environment but what is named."""
    command = [sys.executable, "-c", "from labpool.cli import main; main()", *arguments]
    plain = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "COLUMNS": "100", **environ}
    return subprocess.run(command, env=plain, capture_output=True, text=True, check=False)
