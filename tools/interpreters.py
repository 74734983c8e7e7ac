"""Find Python interpreters by trying them.

A name on PATH proves nothing: pyenv puts a `python3.13` there that only says "command not found" while another version
is chosen. So every candidate is run once and asked for its version.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

OLDEST = (3, 10)
NEWEST = (3, 13)
DEFAULT_NAMES = ("python3", "python3.13", "python3.12", "python3.11", "python3.10")
# The second line is the interpreter behind a virtual environment: sys._base_executable is not it before Python 3.11.
REPORT = """
import os, sys
behind = "%s/bin/python%d.%d" % ((sys.base_prefix,) + sys.version_info[:2])
print("%d.%d.%d" % sys.version_info[:3])
print(behind if os.path.exists(behind) else sys.executable)
"""


class NoPython(Exception):
    """No interpreter fits; the message says what was asked for and how to get one."""


class Interpreter(NamedTuple):
    """A Python that was run and answered; `path` is the one behind a virtual environment or a shim."""

    path: str
    version: str


def supported(version: str) -> bool:
    """Whether labpool runs on a version such as `3.11.7`."""
    major, minor = version.split(".")[:2]
    return OLDEST <= (int(major), int(minor)) <= NEWEST


def ask(path: str) -> Interpreter | None:
    """Run a candidate; None if it doesn't start or isn't a Python 3."""
    try:
        answer = subprocess.run([path, "-c", REPORT], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    reported = re.fullmatch(r"(3\.\d+\.\d+)\n(.+)\n", answer.stdout)
    return Interpreter(reported[2], reported[1]) if reported else None


def candidates(name: str) -> Iterator[str]:
    """Yield paths that may be the interpreter `name`: from PATH, then those that pyenv and uv keep out of it."""
    on_path = shutil.which(name)
    if on_path:
        yield on_path
    numbered = re.fullmatch(r"python(3\.\d+)", name)
    if not numbered:
        return
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    data = Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser()
    for folder, pattern in ((pyenv / "versions", f"{numbered[1]}.*"), (data / "uv/python", f"cpython-{numbered[1]}.*")):
        yield from (str(found / "bin" / name) for found in sorted(folder.glob(pattern)))


def find(name: str) -> Interpreter | None:
    """Return the first working interpreter called `name` (a name or a path), or None."""
    answers = (ask(path) for path in candidates(name))
    return next((found for found in answers if found), None)


def choose(name: str | None) -> Interpreter:
    """Return the interpreter to build with.

    Args:
        name: what the user asked for (`python3.13`, a path), or None to take python3 or the next one that fits.

    Raises:
        NoPython: nothing of that name runs, or it is one that labpool doesn't support.
    """
    found = [answer for answer in map(find, [name] if name else DEFAULT_NAMES) if answer]
    for interpreter in found:
        if supported(interpreter.version):
            return interpreter
    asked = f"PYTHON={name}" if name else "python3"
    seen = f"is Python {found[0].version}" if found else "doesn't run here"
    raise NoPython(
        f"{asked} {seen}; labpool needs Python 3.10 to 3.13 (TensorFlow has no packages for others). "
        "Install one (Debian: apt-get install python3 python3-venv; elsewhere: uv python install 3.13, or pyenv) "
        "and name it: PYTHON=python3.13 make setup"
    )
