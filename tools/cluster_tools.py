"""`make cluster-tools`: build the programs of the test cluster from pinned Go modules, once for each set of pins.

They go into a folder of the user's cache (tests/kubernetes/programs.py says which), which gets its name when it is
whole. One build at a time works on it; one that was broken off goes on with the next program. Go checks every module
against the sums in go.sum. Runs with any Python 3.10 and its standard library alone, from the repository's root, as
`python -m tools.cluster_tools`, and politely: other work on this machine goes first.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.kubernetes import programs
from tests.kubernetes.programs import Program

OLDEST_GO = (1, 26)
FETCHES_NEWER_GO = (1, 21)
"""From here on Go gets the toolchain by itself that a go.mod asks for, unless GOTOOLCHAIN=local forbids it."""
ELSEWHERE = (("/usr/local", "go/bin/go"), ("/usr/lib", "go-*/bin/go"))
"""Where Go's own archive and Debian's packages put it, which need not be on PATH."""
NICENESS = 10
ADVICE = (
    f"Install Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer (https://go.dev/doc/install; Debian: golang-1.26-go, where the "
    "release has it) and call `make cluster-tools` again."
)


class BuildFailed(Exception):
    """A program can't be built; the message says why and what to do."""


def find_go() -> str:
    """Return a Go that can build the programs: the one on PATH, or where its own installer and Debian put it.

    Raises:
        BuildFailed: there is none, or an older one only.
    """
    elsewhere = [str(go) for place, pattern in ELSEWHERE for go in sorted(Path(place).glob(pattern))]
    found = [go for go in (shutil.which("go"), *elsewhere) if go]
    for go in found:
        if _new_enough(go):
            return go
    if not found:
        raise BuildFailed(f"There is no Go on this machine. {ADVICE}")
    raise BuildFailed(f"{found[0]} is Go {'.'.join(map(str, _version(found[0])))}, which is too old. {ADVICE}")


def _new_enough(go: str) -> bool:
    version = _version(go)
    may_fetch = version >= FETCHES_NEWER_GO and _go_says(go, "GOTOOLCHAIN") != "local"
    return version >= OLDEST_GO or may_fetch


def _version(go: str) -> tuple[int, ...]:
    numbers = re.match(r"go(\d+)\.(\d+)", _go_says(go, "GOVERSION"))
    return tuple(int(number) for number in numbers.groups()) if numbers else ()


def _go_says(go: str, setting: str) -> str:
    answer = subprocess.run([go, "env", setting], cwd="/", capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def run(command: list[str], cwd: Path) -> str:
    """Run a command that has to work, and return what it prints; its errors and progress go to the terminal.

    Raises:
        BuildFailed: it ended with an error.
    """
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    result = subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise BuildFailed(
            f"`{' '.join(command[:2])} … {command[-1]}` ended with status {result.returncode}; the lines above say "
            "why. When that is put right, `make cluster-tools` goes on with this program."
        )
    return result.stdout


def build(go: str, program: Program, into: Path) -> None:
    """Build one program; one that is broken off leaves nothing under the program's name."""
    unfinished = into / f"{program.name}.unfinished"
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {program.stamps}".strip()]
    run([go, "build", *flags, "-o", str(unfinished), program.package], program.module)
    unfinished.rename(into / program.name)


def keep_manifests(go: str, into: Path) -> None:
    """Keep Kueue's own manifests (definitions, roles, webhooks), put together by the kubectl that was just built."""
    module = json.loads(run([go, "mod", "download", "-json", "sigs.k8s.io/kueue"], programs.PINS / "kueue"))
    manifests = run([str(into / "kubectl"), "kustomize", f"{module['Dir']}/config/default"], into)
    unfinished = into / f"{programs.KUEUE_MANIFESTS}.unfinished"
    unfinished.write_text(manifests, encoding="utf-8")
    unfinished.rename(into / programs.KUEUE_MANIFESTS)


def steps(go: str, into: Path) -> dict[str, Callable[[], None]]:
    """What there is to make, by the name of the file; Kueue's manifests last, as they take kubectl."""
    made: dict[str, Callable[[], None]] = {
        program.name: partial(build, go, program, into) for program in programs.PROGRAMS
    }
    return made | {programs.KUEUE_MANIFESTS: partial(keep_manifests, go, into)}


def build_all(folder: Path) -> None:
    """Build what is missing; the folder gets its name last."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    with alone(folder.with_name(f"{folder.name}.lock")):
        if folder.is_dir():
            return
        todo = steps(find_go(), unfinished)
        unfinished.mkdir(exist_ok=True)
        for number, (name, make) in enumerate(todo.items(), 1):
            began = time.monotonic()
            if (unfinished / name).exists():
                say(f"[{number}/{len(todo)}] {name}: there")
                continue
            say(f"[{number}/{len(todo)}] {name} …")
            make()
            say(f"[{number}/{len(todo)}] {name}: {time.monotonic() - began:.0f} s")
        unfinished.rename(folder)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Let one build at a time work on the folder."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another build of the cluster's programs is under way; waiting for it.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    """Print a line of progress at once, also into a pipe."""
    print(line, flush=True)


def main() -> int:
    """Build the programs, or say that they are there."""
    folder = programs.folder()
    if programs.are_built():
        say(f"The cluster's programs are there: {folder}")
        return 0
    os.nice(NICENESS)
    say(f"Building Kubernetes {programs.KUBERNETES}, etcd, KWOK and Kueue from Go modules: 15 minutes on two cores.")
    began = time.monotonic()
    try:
        build_all(folder)
    except BuildFailed as problem:
        print(f"Stopped: {problem}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on where it stopped.", file=sys.stderr, flush=True)
        return 130
    say(f"The cluster's programs are built ({time.monotonic() - began:.0f} s): {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
