"""`make cluster`: start a throw-away cluster, say how to use it, and end it with Ctrl-C.

Run from the repository's root as `python -m tools.cluster`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from types import FrameType

from tests.kubernetes import cluster, programs
from tests.kubernetes.cluster import Cluster, running_cluster

HOW_TO_USE = """
A cluster with {nodes} GPU nodes of {gpus} GPUs, and one node without, is up after {seconds:.0f} s.

  export KUBECONFIG={kubeconfig}
  {kubectl} get nodes

Its logs: {folder}/log; those of pods: {folder}/pods/NAMESPACE/NAME.UID/log
Ctrl-C (or kill {pid}) ends it and removes all of it.
"""


def main() -> int:
    """Start a cluster as the command line says, and wait to be interrupted."""
    parser = argparse.ArgumentParser(description="Start a throw-away Kubernetes cluster with Kueue and fake GPU nodes.")
    parser.add_argument("--nodes", type=int, default=cluster.NODES, help="GPU nodes; default: %(default)s")
    parser.add_argument("--gpus", type=int, default=cluster.GPUS, help="GPUs of each; default: %(default)s")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    began = time.monotonic()
    try:
        with running_cluster(arguments.nodes, arguments.gpus) as started:
            print(_how_to_use(started, arguments.nodes, arguments.gpus, time.monotonic() - began), flush=True)
            while True:
                signal.pause()
    except KeyboardInterrupt:
        print("The cluster is gone.", flush=True)
    return 0


def _how_to_use(started: Cluster, nodes: int, gpus: int, seconds: float) -> str:
    return HOW_TO_USE.format(
        nodes=nodes,
        gpus=gpus,
        seconds=seconds,
        kubeconfig=started.kubeconfig,
        kubectl=programs.folder() / "kubectl",
        folder=started.folder,
        pid=os.getpid(),
    )


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
