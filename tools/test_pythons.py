"""Run the quick tests on other Python versions than the one of .venv, each in an environment of its own.

Quick is what needs neither a browser, a whole lab nor PostgreSQL, and takes no minutes: the rules, the store, the
engine, the service, tfpresets. Beside that, tests marked `everywhere` start the whole lab and train in its JupyterLab.
The last version is tried as on a machine without Node and uv: setup brings its own; of several versions it leaves out
the service, which the oldest has had. With CI=true uv is asked to fetch a missing interpreter, and one that is missing
all the same is a failure.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import interpreters
from environment import ROOT, Environment

DEFAULT = ("python3.10", "python3.13")
TESTS = "everywhere or (not browser and not hub and not hub5 and not postgresql and not kubernetes and not once)"
BRINGS_ITS_OWN = ("node", "nodejs", "npm", "npx", "corepack", "uv", "uvx")


class Result(NamedTuple):
    """How the tests went on one version; `left_out` where they didn't run at all."""

    name: str
    words: str
    failed: bool = False
    left_out: bool = False


def find(name: str) -> interpreters.Interpreter | None:
    """Find an interpreter; with CI=true let uv fetch it where the machine doesn't have it."""
    found = interpreters.find(name)
    uv = Environment(ROOT / ".venv", None).uv()
    if found or not uv or os.environ.get("CI") != "true":
        return found
    subprocess.run([uv, "python", "install", name.removeprefix("python")], check=False)
    return interpreters.find(name)


def bare(folder: Path) -> str:
    """A search path with all programs of this machine but those that setup can bring itself, as links in `folder`."""
    for place in os.get_exec_path():
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            if program.name not in BRINGS_ITS_OWN and not (folder / program.name).exists():
                (folder / program.name).symlink_to(program)
    (ROOT / "node_modules/.labpool").unlink(missing_ok=True)  # for npm from the wheel to install the proxy
    return str(folder)


def run_on(name: str, programs: str, *leaving_out: str) -> Result:
    """Set up an environment for the Python called `name` and run the tests in it; `programs` is the search path."""
    interpreter = find(name)
    if interpreter is None:
        return Result(name, "LEFT OUT: it is not on this machine (uv python install, or pyenv)", left_out=True)
    venv = ROOT / f".venv-{'.'.join(interpreter.version.split('.')[:2])}"
    print(f"== Python {interpreter.version} in {venv.name}", flush=True)
    setup = [sys.executable, "tools/setup.py", "--python", interpreter.path, "--venv", str(venv)]
    if subprocess.run(setup, cwd=ROOT, env={**os.environ, "PATH": programs}, check=False).returncode:
        return Result(name, "setup failed", failed=True)
    env = {**os.environ, "PATH": f"{venv / 'bin'}{os.pathsep}{ROOT / 'node_modules/.bin'}{os.pathsep}{programs}"}
    tests = ["python", "-m", "pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "-m", TESTS]
    tests += [f"--ignore={folder}" for folder in leaving_out]
    with subprocess.Popen(tests, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        last = ""
        for line in process.stdout or ():
            print(line, end="", flush=True)
            last = line
    return Result(name, re.sub(r"\x1b\[[0-9;]*m", "", last).strip("= \n"), failed=process.returncode != 0)


def main() -> int:
    """Run on the versions that the command line names, or on the oldest and the newest supported one."""
    *names, last = sys.argv[1:] or DEFAULT
    results = [run_on(name, os.environ["PATH"]) for name in names]
    with TemporaryDirectory() as folder:
        results.append(run_on(last, bare(Path(folder)), *(("tests/service",) if names else ())))
    print("== Other Python versions")
    for result in results:
        print(f"{result.name}: {result.words}")
    failed = sum(result.failed for result in results)
    left_out = sum(result.left_out for result in results)
    print(f"{len(results) - failed - left_out} passed, {failed} failed, {left_out} left out")
    return 1 if failed or (left_out and os.environ.get("CI") == "true") else 0


if __name__ == "__main__":
    sys.exit(main())
