"""`make setup`: what is done is not done again, what was interrupted is, and a missing program is named."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import setup
from environment import Environment

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]


def step(stamp: Path, digest: str, built: list[str]) -> setup.Step:
    return setup.Step("a step", stamp, digest, lambda: built.append(digest))


def test_step_is_done_until_what_it_is_made_from_changes(tmp_path: Path):
    built: list[str] = []
    step(tmp_path / "stamp", "one", built).run()
    assert step(tmp_path / "stamp", "one", built).done
    assert not step(tmp_path / "stamp", "two", built).done


def test_interrupted_step_is_not_taken_for_done(tmp_path: Path):
    def interrupt() -> None:
        raise KeyboardInterrupt

    step(tmp_path / "stamp", "one", []).run()
    with pytest.raises(KeyboardInterrupt):
        setup.Step("a step", tmp_path / "stamp", "one", interrupt).run()
    assert not step(tmp_path / "stamp", "one", []).done


def test_our_own_packages_are_installed_again_after_the_locked_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    environment = Environment(tmp_path, sys.executable)
    environment.own_stamp.parent.mkdir()
    environment.own_stamp.touch()
    monkeypatch.setattr(environment, "pip", lambda *arguments: None)
    monkeypatch.setattr(environment, "node_in_system", True)
    setup.install_packages(environment, [])
    assert not environment.own_stamp.exists()


def test_lock_of_another_content_has_another_digest(tmp_path: Path):
    lock = tmp_path / "lock.txt"
    lock.write_text("numpy==2.2.6")
    before = setup.digest_of("3.11.2", lock)
    lock.write_text("numpy==2.2.7")
    assert setup.digest_of("3.11.2", lock) != before


def test_environment_of_a_supported_version_is_kept_without_a_wish(tmp_path: Path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    kept = tmp_path / "venv/kept.txt"
    kept.touch()
    environment = Environment(tmp_path / "venv", None)
    environment.create(stamped=False)
    assert environment.version == ".".join(map(str, sys.version_info[:3]))
    assert kept.exists()


def test_environment_that_was_made_elsewhere_is_made_again_with_its_own_python(tmp_path: Path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (tmp_path / "venv/left-over.txt").touch()
    Environment(tmp_path / "venv", None).create(stamped=True)
    again = Environment(tmp_path / "venv", None)
    assert again.built_version() == ".".join(map(str, sys.version_info[:3]))
    assert not (tmp_path / "venv/left-over.txt").exists()


def test_node_of_the_environment_does_not_pass_for_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("node", "npm"):
        program = tmp_path / "venv/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\necho v24.0.0\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "venv/bin"))
    assert not Environment(tmp_path / "venv", sys.executable).node_in_system
    assert Environment(tmp_path / "other", sys.executable).node_in_system


def test_missing_venv_module_is_named_with_the_debian_package(tmp_path: Path):
    """A Python without ensurepip, as on a fresh Debian, and no uv."""
    checkout, programs = tmp_path / "checkout", tmp_path / "bin"
    shutil.copytree(ROOT / "tools", checkout / "tools")
    shutil.copytree(ROOT / "requirements", checkout / "requirements")
    for name in ("pyproject.toml", "package.json", "package-lock.json", "notebook_images/tfpresets/pyproject.toml"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    programs.mkdir()
    bare = programs / "python3"
    bare.write_text(
        f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; *base_prefix*) printf "3.11.2\\n{bare}\\n";; esac\n'
    )
    bare.chmod(0o755)
    result = subprocess.run(
        [sys.executable, checkout / "tools/setup.py"],
        env={"PATH": str(programs), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "apt-get install python3-venv" in result.stderr
