"""A run without a program that some tests need says what it left out; with CI=true it fails instead."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = """
import pytest
@pytest.mark.browser
def test_in_the_browser(): pass
@pytest.mark.soak
def test_for_long(): pass
def test_without_needs(): pass
def test_skipped_by_itself(): pytest.skip("no reason")
"""


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  browser: needs one\n  soak: long\n")
    return tmp_path


def run_without_chromium(folder: Path, ci: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "2", "."]
    env = {**os.environ, "PATH": "/nowhere", "CI": ci}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_left_out_tests_are_counted_with_reasons(sample: Path):
    result = run_without_chromium(sample, ci="")
    assert result.returncode == 0
    assert "1 tests: no Chromium here (Debian: apt-get install chromium)" in result.stdout
    assert "the long forms: they run with `make soak`" in result.stdout


def test_ci_fails_rather_than_leaving_out_a_browser(sample: Path):
    result = run_without_chromium(sample, ci="true")
    assert result.returncode == 1
    assert "no Chromium here" in result.stdout
    assert "1 failed, 1 passed, 1 error" in result.stdout
