"""JupyterHub's own tests, shipped in its wheel, run against one spawner or another in a process of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
MODULES = ("test_spawner", "test_user", "test_named_servers")
_IS_ROOT = os.geteuid() == 0
_NOT_AS_ROOT = "test_spawner.py::test_single_user_spawner"
"""Starts a real single-user server, which refuses to run as root."""


def outcomes(python: str, folder: Path, *, ours: bool) -> dict[str, str]:
    """Outcome of each test by its name: passed, failed, skipped or error. A failure is tried again twice.

    Args:
        python: The Python whose environment has the JupyterHub to test.
        folder: An empty folder for configuration, data and the report.
        ours: Whether our spawner takes the place of the hub's SimpleLocalProcessSpawner.
    """
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n", encoding="utf-8")
    report = folder / "outcomes.json"
    subprocess.run(
        _command(python, ours=ours),
        cwd=folder,
        env=_environment(python, folder, report),
        check=False,
        capture_output=True,
        preexec_fn=_hear_interrupts,
    )
    return _read(report)


def _hear_interrupts() -> None:
    # what a shell starts in the background ignores SIGINT, and the hub would wait 30 s for each server to hear it
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stock_outcomes(version: str) -> dict[str, str]:
    """The committed outcomes of the hub's own spawner."""
    return _read(HERE / f"stock-{version}.json")


def _read(report: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(report.read_text(encoding="utf-8"))
    return {name: outcome for name, outcome in found.items() if not (_IS_ROOT and name == _NOT_AS_ROOT)}


def _command(python: str, *, ours: bool) -> list[str]:
    plugins = ["outcomes_to_json", *(["our_spawner_for_theirs"] if ours else [])]
    loops = ("asyncio_default_fixture_loop_scope=module", "asyncio_default_test_loop_scope=module")
    return [
        *(python, "-m", "pytest", "-c", "pytest.ini", "--rootdir", ".", "-q", "-p", "no:cacheprovider"),
        *(word for plugin in plugins for word in ("-p", plugin)),
        *(word for loop in loops for word in ("-o", loop)),
        *(("-k", f"not {_NOT_AS_ROOT.partition('::')[2]}") if _IS_ROOT else ()),
        *("--reruns", "2", "--pyargs", *(f"jupyterhub.tests.{module}" for module in MODULES)),
    ]


def _environment(python: str, folder: Path, report: Path) -> dict[str, str]:
    programs = (str(Path(python).parent), str(REPOSITORY / "node_modules/.bin"), os.environ["PATH"])
    return {
        **os.environ,
        "PATH": os.pathsep.join(programs),
        "PYTHONPATH": str(HERE),
        "CONFORMANCE_OUTCOMES": str(report),
        "CONFORMANCE_DATA": str(folder / "data"),
    }
