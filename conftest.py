"""What the tests need of the machine, and the account of what was left out.

Where a need is not met, its tests are left out and the end of the run says so; with CI=true they fail instead.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent
SOAK = "the long forms run with `make soak`"


class Need(NamedTuple):
    """Something that the tests with a marker can't do without."""

    met: Callable[[], object]
    reason: str


NEEDS = {
    "browser": Need(lambda: shutil.which("chromium"), "no Chromium here (Debian: apt-get install chromium)"),
    "hub": Need((ROOT / "node_modules/.bin/configurable-http-proxy").exists, "no proxy here (make setup)"),
    "hub5": Need((ROOT / ".venv-hub5/.labpool/own").exists, "no JupyterHub 5.5 here (make test builds it)"),
    "tensorflow": Need(lambda: importlib.util.find_spec("tensorflow"), "no TensorFlow here (make setup)"),
    "compiler": Need(lambda: shutil.which("cc"), "no C compiler here (Debian: apt-get install gcc)"),
}

settings.register_profile("labpool", deadline=None)
settings.register_profile("soak", deadline=None, max_examples=2000)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the long forms."""
    parser.addoption("--soak", action="store_true", help="run the tests marked soak too, and property tests longer")


def pytest_configure(config: pytest.Config) -> None:
    """Choose how long the property tests search."""
    settings.load_profile("soak" if config.getoption("--soak") else "labpool")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take minutes, so that none of them is alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out before its fixtures start anything."""
    if item.get_closest_marker("soak") and not item.config.getoption("--soak"):
        pytest.skip(SOAK)
    for marker, need in NEEDS.items():
        if item.get_closest_marker(marker) and not need.met():
            leave_out = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            leave_out(need.reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what was left out and why."""
    reasons = Counter(
        str(report.longrepr[-1]).removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped")
    )
    terminalreporter.section("left out")
    for reason, tests in reasons.most_common():
        terminalreporter.line(f"{tests} tests: {reason}")
    if not reasons:
        terminalreporter.line("nothing")
