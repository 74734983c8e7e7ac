"""The programs of the test cluster: which, in which versions, and where `make cluster-tools` keeps them.

The go.mod and go.sum files of `pins/` say what they are built from, down to the last dependency. Standard library only:
the tool that builds them runs before there is an environment.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

PINS = Path(__file__).resolve().parent / "pins"
KUBERNETES = "1.36.3"
_VERSION = "k8s.io/component-base/version"
# Without these the API server calls itself v0.0.0, which charts refuse.
_KUBERNETES_IS = (
    f"-X {_VERSION}.gitVersion=v{KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor={KUBERNETES.split('.')[1]}"
)
KUEUE_MANIFESTS = "kueue.yaml"


@dataclass(frozen=True)
class Program:
    """One program, built from a Go package.

    Args:
        name: What the file is called.
        package: The Go package with its main function.
        pins: The folder of `pins/` that holds its go.mod and go.sum.
        stamps: What the linker writes into it.
    """

    name: str
    package: str
    pins: str
    stamps: str = ""

    @property
    def module(self) -> Path:
        """The folder with its go.mod and go.sum."""
        return PINS / self.pins


PROGRAMS = (
    *(
        Program(name, f"k8s.io/kubernetes/cmd/{name}", "kubernetes", _KUBERNETES_IS)
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    ),
    Program("etcd", "go.etcd.io/etcd/server/v3", "etcd"),
    Program("kwok", "sigs.k8s.io/kwok/cmd/kwok", "kwok"),
    Program("kueue", "sigs.k8s.io/kueue/cmd/kueue", "kueue"),
)


def folder() -> Path:
    """Where the programs belong: a folder of the user's cache, named by the hash of all that they are made from."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "labpool/cluster-tools" / _digest()[:16]


def are_built() -> bool:
    """Whether all of them are there; the folder is only named so once it is whole."""
    return folder().is_dir()


def _digest() -> str:
    total = hashlib.sha256(repr(PROGRAMS).encode())
    for file in sorted(PINS.glob("*/go.*")):
        total.update(f"{file.relative_to(PINS)}\0".encode() + file.read_bytes())
    return total.hexdigest()
