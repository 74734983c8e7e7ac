"""`make cluster-tools`: what it says without Go, and that nothing is built twice or taken for whole that isn't.

A shell script stands in for Go here, which needs 15 minutes for the real programs; tests/kubernetes runs those.
"""

import os
import subprocess
import sys
from pathlib import Path

import cluster_tools
import pytest

from tests.kubernetes.programs import PROGRAMS

ROOT = Path(__file__).resolve().parents[2]
NAMES = {program.name for program in PROGRAMS} | {"kueue.yaml"}
STAND_IN = """#!/bin/sh
case "$1 $2" in
  "env GOVERSION") echo {version};;
  "env GOTOOLCHAIN") echo local;;
  "mod download") echo '{{"Dir": "/kueue"}}';;
  build*)
    case " $* " in *" -mod=readonly "*) ;; *) exit 9;; esac
    while [ "$1" != -o ]; do shift; done
    echo "$2" >> {folder}/built
    case "$2" in *"$FAIL_AT".unfinished) exit 1;; esac
    printf '#!/bin/sh\\necho "kind: Namespace"\\n' > "$2"; chmod +x "$2"; sleep 0.05;;
esac
"""


@pytest.fixture
def go(tmp_path: Path) -> Path:
    return stand_in(tmp_path, "go1.26.3")


def stand_in(folder: Path, version: str) -> Path:
    script = folder / "bin/go"
    script.parent.mkdir()
    script.write_text(STAND_IN.format(version=version, folder=folder))
    script.chmod(0o755)
    return script


def begin(folder: Path, fail_at: str = "nothing") -> subprocess.Popen[str]:
    path = f"{folder}/bin{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "XDG_CACHE_HOME": f"{folder}/cache", "FAIL_AT": fail_at}
    command = [sys.executable, "-m", "tools.cluster_tools"]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def whole(folder: Path) -> list[Path]:
    """The folders that have got their name."""
    places = (folder / "cache/labpool/cluster-tools").iterdir()
    return [place for place in places if place.is_dir() and place.suffix != ".unfinished"]


def builds(folder: Path) -> list[str]:
    return [Path(line).name.removesuffix(".unfinished") for line in (folder / "built").read_text().split()]


def test_without_go_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(cluster_tools, "ELSEWHERE", ())
    with pytest.raises(cluster_tools.BuildFailed, match=r"no Go on this machine\. Install Go 1\.26 or newer"):
        cluster_tools.find_go()


def test_go_that_is_too_old_is_named_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    old = stand_in(tmp_path, "go1.24.4")
    monkeypatch.setenv("PATH", f"{old.parent}{os.pathsep}/usr/bin")
    monkeypatch.setattr(cluster_tools, "ELSEWHERE", ())
    with pytest.raises(cluster_tools.BuildFailed, match=r"bin/go is Go 1\.24, which is too old\. Install Go 1\.26"):
        cluster_tools.find_go()


def test_build_that_failed_says_so_and_goes_on_with_that_program(go: Path, tmp_path: Path):
    broken = begin(tmp_path, fail_at="etcd")
    said, _ = broken.communicate()
    assert broken.returncode == 1
    assert "`make cluster-tools` goes on with this program" in said
    assert whole(tmp_path) == []
    said, _ = begin(tmp_path).communicate()
    assert "[4/8] kubectl: there" in said
    assert {file.name for file in whole(tmp_path)[0].iterdir()} == NAMES
    assert sorted(builds(tmp_path)) == sorted([*(program.name for program in PROGRAMS), "etcd"])


def test_two_builds_at_once_build_each_program_once(go: Path, tmp_path: Path):
    both = [begin(tmp_path), begin(tmp_path)]
    said = [each.communicate()[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert sum("waiting for it" in each or "are there" in each for each in said) == 1
    assert sorted(builds(tmp_path)) == sorted(program.name for program in PROGRAMS)
    assert "are there" in begin(tmp_path).communicate()[0]


@pytest.mark.parametrize(("ci", "builds_them"), [("true", True), ("", False)])
def test_make_test_builds_the_programs_under_ci_only(ci: str, builds_them: bool):
    """What make would run; tests/kubernetes fails or is left out where they are missing all the same."""
    would = subprocess.run(["make", "-n", "test", f"CI={ci}"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ("tools.cluster_tools" in would.stdout) is builds_them
    assert "python -m pytest" in would.stdout
