"""pytest plugin: write the outcome of each test to the file named by CONFORMANCE_OUTCOMES."""

import json
import os
from pathlib import Path

import pytest

_WORST_FIRST = ("error", "failed", "skipped", "passed")
_outcomes: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note the worst outcome of a test's setup, call and teardown; a repeated test is noted anew."""
    name = f"{Path(report.location[0]).name}::{report.nodeid.partition('::')[2]}"
    if report.when == "setup":
        _outcomes.pop(name, None)
    if report.outcome == "rerun":
        return
    found = "error" if report.failed and report.when != "call" else report.outcome
    _outcomes[name] = min(found, _outcomes.get(name, "passed"), key=_WORST_FIRST.index)


def pytest_sessionfinish() -> None:
    """Write what was noted."""
    Path(os.environ["CONFORMANCE_OUTCOMES"]).write_text(json.dumps(_outcomes, indent=1, sort_keys=True) + "\n")
