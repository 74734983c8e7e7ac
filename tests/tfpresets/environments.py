"""What the spawner of a leased server sets, for tests; and a Python process that runs with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PRESET_FOR = {0: "cpu", 1: "single", 2: "mirrored"}


def plain_environment() -> dict[str, str]:
    """This process's environment without what a labpool server would add, and with quiet TensorFlow."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LABPOOL_", "JUPYTERHUB_"))}
    return kept | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


def leased_environment(gpus: int, logs: Path) -> dict[str, str]:
    """The environment of ada's server in the project vision with `gpus` simulated GPUs."""
    devices = [{"id": f"demo-{n}", "flavour": "demo-gpu", "simulated": True, "memory_gib": 16} for n in range(gpus)]
    return plain_environment() | {
        "JUPYTERHUB_USER": "ada",
        "LABPOOL_PROJECT": "vision",
        "LABPOOL_PRESET": PRESET_FOR[gpus],
        "LABPOOL_PRECISION": "auto",
        "LABPOOL_XLA": "auto",
        "LABPOOL_DEVICES": json.dumps(devices),
        "LABPOOL_LOGS": str(logs),
    }


def run_script(script: str, environment: Mapping[str, str], folder: Path) -> str:
    """Run `script` in a Python process of its own and return what it printed; fail with its errors if it fails."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
