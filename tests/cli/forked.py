"""`labpool` in a process of its own, forked from one that has loaded it: most of a short command's time is loading."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from tempfile import TemporaryDirectory

_LOADED = multiprocessing.get_context("forkserver")
_LOADED.set_forkserver_preload(["labpool.cli", __name__])


def load() -> None:
    """Start the process to fork from, with this environment."""
    forkserver.ensure_running()


def run_forked(arguments: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command with this environment and no other, as a shell does."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = _LOADED.Process(target=_labpool, args=(arguments, dict(environ), str(out), str(err)))
        process.start()
        process.join()
        assert process.exitcode is not None
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))


def _labpool(arguments: Sequence[str], environ: Mapping[str, str], out: str, err: str) -> None:
    for number, path in enumerate((os.devnull, out, err)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, encoding="utf-8") for number, mode in enumerate("rww"))
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    sys.argv = ["labpool", *arguments]
    from labpool.cli import main  # noqa: PLC0415 (loaded already, where this runs)

    main()
