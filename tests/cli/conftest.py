"""The command line, run as people run it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.forked import load, run_forked

Labpool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="package", autouse=True)
def loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load the command once; an empty file shadows the driver's library if there is one."""
    shadow = tmp_path_factory.mktemp("no-driver")
    (shadow / "libnvidia-ml.so.1").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LD_LIBRARY_PATH", str(shadow))
        load()


@pytest.fixture
def labpool() -> Labpool:
    """Runs the command in a window of 100 columns, with nothing of this environment but what is named."""
    return run_labpool


def run_labpool(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a window of 100 columns, with nothing of this environment but what is named."""
    plain = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "COLUMNS": "100", **environ}
    return run_forked([str(each) for each in arguments], plain)
