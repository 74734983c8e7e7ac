"""Which Python `make setup` builds with."""

import sys
from pathlib import Path

import interpreters
import pytest


def put_program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the whole PATH, and no interpreters hidden elsewhere."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "bin"


def test_interpreter_is_the_one_behind_a_virtual_environment():
    found = interpreters.ask(sys.executable)
    assert found is not None
    assert found.version == ".".join(map(str, sys.version_info[:3]))
    assert Path(found.path).resolve() == Path(sys.executable).resolve()


def test_name_on_path_that_only_says_command_not_found_is_passed_over(programs: Path, tmp_path: Path):
    put_program(programs / "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    put_program(tmp_path / "pyenv/versions/3.12.1/bin/python3.12", r"printf '3.12.1\n/opt/python\n'")
    assert interpreters.find("python3.12") == interpreters.Interpreter("/opt/python", "3.12.1")


def test_interpreter_that_uv_fetched_is_found_although_it_is_not_on_path(programs: Path, tmp_path: Path):
    put_program(tmp_path / "data/uv/python/cpython-3.13.1-linux/bin/python3.13", r"printf '3.13.1\n/opt/python\n'")
    assert interpreters.choose("python3.13").version == "3.13.1"


def test_without_a_wish_the_next_supported_version_is_taken_when_python3_is_too_new(programs: Path):
    put_program(programs / "python3", r"printf '3.14.2\n/usr/bin/python3\n'")
    put_program(programs / "python3.11", r"printf '3.11.9\n/usr/bin/python3.11\n'")
    assert interpreters.choose(None).version == "3.11.9"


@pytest.mark.parametrize("version", ["3.9.18", "3.14.0"])
def test_unsupported_wish_is_refused_with_a_remedy(programs: Path, version: str):
    put_program(programs / "python-mine", rf"printf '{version}\n/usr/bin/python\n'")
    with pytest.raises(
        interpreters.NoPython, match=rf"is Python {version}; labpool needs Python 3.10 to 3.13.*PYTHON="
    ):
        interpreters.choose("python-mine")


def test_missing_interpreter_is_refused_with_a_remedy(programs: Path):
    with pytest.raises(interpreters.NoPython, match=r"PYTHON=python3\.13 doesn't run here"):
        interpreters.choose("python3.13")
