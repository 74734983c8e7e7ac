"""What the tests need of the machine, and the account of what was left out.

Where a need is not met, its tests are left out and the end of the run says so; with CI=true they fail instead, as does
any other test that is skipped. The long forms belong to `make soak`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parent
POSTGRESQL = f"/usr/lib/postgresql/15/bin:{os.environ.get('PATH', '')}"  # where Debian keeps it
IN_CI = os.environ.get("CI") == "true"


class Need(NamedTuple):
    """Something that the tests with a marker can't do without."""

    met: Callable[[], object]
    reason: str


def cluster_tools_are_built() -> bool:
    """Whether `make cluster-tools` was run for the versions that are pinned now."""
    return bool(importlib.import_module("tests.kubernetes.programs").are_built())


NEEDS = {
    "browser": Need(lambda: shutil.which("chromium"), "no Chromium here (Debian: apt-get install chromium)"),
    "hub": Need((ROOT / "node_modules/.bin/configurable-http-proxy").exists, "no proxy here (make setup)"),
    "hub5": Need((ROOT / ".venv-hub5/.labpool/own").exists, "no JupyterHub 5.5 here (make test builds it)"),
    "tensorflow": Need(lambda: importlib.util.find_spec("tensorflow"), "no TensorFlow here (make setup)"),
    "postgresql": Need(
        lambda: shutil.which("initdb", path=POSTGRESQL), "no PostgreSQL 15 here (Debian: apt-get install postgresql-15)"
    ),
    "root": Need(lambda: os.geteuid() == 0, "not root here, and it takes root to be two people"),
    "kubernetes": Need(cluster_tools_are_built, "no programs of a cluster here (make cluster-tools, once)"),
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long forms to --soak; begin with the files that take minutes, so that none is alone at the end."""
    long_forms = [] if config.getoption("--soak") else [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=long_forms)
    items[:] = sorted(
        (item for item in items if item not in long_forms), key=lambda item: item.get_closest_marker("long") is None
    )


class ByFileAndDatabase(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A file's tests share their hub; those on PostgreSQL have one of their own, beside that of the others.

    All of tests/kubernetes share one cluster, so they go to one worker.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        if file.startswith("tests/kubernetes/"):
            return "tests/kubernetes"
        return f"{file} on PostgreSQL" if "postgresql" in test.rpartition("[")[2] else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Give what shares a hub or a cluster to one worker."""
    return ByFileAndDatabase(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out before its fixtures start anything."""
    for marker, need in NEEDS.items():
        if item.get_closest_marker(marker) and not need.met():
            pytest.skip(need.reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a test that is skipped has failed."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"left out, and CI leaves out nothing: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say at the end what was left out and why."""
    reasons = Counter(
        str(report.longrepr[-1]).removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped")
    )
    terminalreporter.section("left out")
    for reason, tests in reasons.most_common():
        terminalreporter.line(f"{tests} tests: {reason}")
    if not config.getoption("--soak"):
        terminalreporter.line("the long forms: they run with `make soak`")
    elif not reasons:
        terminalreporter.line("nothing")
