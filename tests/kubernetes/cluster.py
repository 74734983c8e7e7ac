"""A throw-away Kubernetes cluster: a real control plane with Kueue, fake GPU nodes, and real processes for pods.

Everything is in one folder and on free ports, so several may run beside each other; leaving `running_cluster` ends all
that it started, also when the start failed half-way.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from tests.kubernetes import control_plane, kueue_outside, programs
from tests.kubernetes.addresses import PodNetwork, claim_network
from tests.kubernetes.certificates import Authority
from tests.kubernetes.claims import STORAGE_CLASS
from tests.kubernetes.client import Administrator
from tests.kubernetes.control_plane import Layout
from tests.kubernetes.fake_nodes import STAGES, FakeNodes
from tests.kubernetes.kueue_outside import KueuePorts, Manifest
from tests.kubernetes.pod_leftovers import MARK, end_leftovers
from tests.kubernetes.processes import LONGEST_START, ClusterProcess
from tests.ports import free_ports
from tests.real_hub import REPOSITORY, wait_until

NODES = 4
GPUS = 8
VISIBILITY = "/apis/visibility.kueue.x-k8s.io/v1beta2"
_DEFAULT_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


@dataclass
class Cluster:
    """A cluster that runs.

    Its processes are called etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, runner and kueue:
    each of them can be killed and started again, on the same ports and data.
    """

    layout: Layout
    api: httpx.Client
    nodes: FakeNodes
    processes: dict[str, ClusterProcess] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Everything of this cluster, log/NAME among it, and pods/NAMESPACE/NAME.UID/log of each pod."""
        return self.layout.folder

    @property
    def kubeconfig(self) -> Path:
        """For kubectl and Kubernetes clients."""
        return self.layout.kubeconfig

    def kill(self, name: str) -> None:
        """kill -9 of one process."""
        self.processes[name].kill()

    def start(self, name: str) -> None:
        """Start one process again and wait until it does its work, and with etcd the API server that needs it."""
        self.processes[name].start()
        if name == "etcd" and self.processes["kube-apiserver"].runs:
            self.processes["kube-apiserver"].wait_until_ready()

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl, which has to work within three minutes, and return what it prints."""
        command = [str(programs.folder() / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments]
        result = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=LONGEST_START, check=False
        )
        assert not result.returncode, f"kubectl {' '.join(arguments)}: {result.stderr}"
        return result.stdout

    def apply(self, manifests: Sequence[Mapping[str, object]]) -> None:
        """Create or change objects as `kubectl apply --server-side` does."""
        everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
        self.kubectl("apply", "--server-side", "--filename=-", stdin=everything)

    def answers(self, path: str) -> bool:
        """Whether the API server answers 200 there."""
        try:
            return self.api.get(path).status_code == 200
        except httpx.HTTPError:
            return False


@contextlib.contextmanager
def running_cluster(nodes: int = NODES, gpus: int = GPUS, audited: bool = False) -> Iterator[Cluster]:
    """A new cluster with so many GPU nodes of so many GPUs, and one node without GPUs.

    Where it is `audited`, `layout.audit_log` tells what service accounts ask the API server for.
    """
    with contextlib.ExitStack() as ends:
        folder = Path(tempfile.mkdtemp(prefix="labpool-cluster-"))
        ends.enter_context(_guard(folder))
        network = claim_network()
        ends.callback(network.release)
        layout = Layout.on_free_ports(folder, audited)
        authority = Authority.found(layout.pki)
        authority.pair("admin", organisation="system:masters")
        administrator = Administrator(layout.url, layout.pki)
        layout.kubeconfig.write_text(administrator.kubeconfig(), encoding="utf-8")
        api = ends.enter_context(administrator.client())
        cluster = Cluster(layout, api, FakeNodes(api))
        ends.callback(_stop, cluster)
        _start(cluster, authority, network)
        cluster.nodes.add(nodes, gpus)
        cluster.nodes.add(1, 0, prefix="cpu")
        yield cluster


@contextlib.contextmanager
def _guard(folder: Path) -> Iterator[None]:
    """Remove the folder in the end; where this process is killed, end all processes of the cluster first."""
    command = [sys.executable, "-m", "tests.kubernetes.guard", str(folder)]
    # A session of its own, so that Ctrl-C in the terminal leaves it alone.
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, start_new_session=True):
        yield


def _start(cluster: Cluster, authority: Authority, network: PodNetwork) -> None:
    (cluster.folder / "log").mkdir()
    ports = KueuePorts(*free_ports(3))
    kueue = kueue_outside.furnish(cluster.folder / "kueue", ports, authority, cluster.kubeconfig)
    for process in _control_plane(cluster, authority, network):
        cluster.processes[process.name] = process
    cluster.start("etcd")
    cluster.start("kube-apiserver")
    others = [name for name in cluster.processes if name not in ("etcd", "kube-apiserver")]
    for name in others:
        cluster.processes[name].begin()
    manifests = kueue_outside.manifests(ports, authority)
    cluster.apply([STORAGE_CLASS, *manifests])
    wait_until(partial(_serves_all, cluster, manifests), "an API for all that Kueue defines", LONGEST_START)
    cluster.processes["kueue"] = _kueue(cluster, kueue, ports)
    cluster.start("kueue")
    for name in others:
        cluster.processes[name].wait_until_ready()


def _serves_all(cluster: Cluster, manifests: Sequence[Manifest]) -> bool:
    """Whether the API server knows all defined kinds by now; Kueue doesn't wait for that."""
    served: set[tuple[str, str]] = set()
    wanted = kueue_outside.defined(manifests)
    for group in {group for group, _ in wanted}:
        answer = cluster.api.get(f"/apis/{group}")
        resources = answer.json()["resources"] if answer.status_code == 200 else []
        served |= {(group, resource["name"]) for resource in resources}
    return wanted <= served


def _control_plane(cluster: Cluster, authority: Authority, network: PodNetwork) -> Iterator[ClusterProcess]:
    layout = cluster.layout
    stages = layout.folder / "stages.yaml"
    stages.write_text(STAGES, encoding="utf-8")
    runner = [sys.executable, "-m", "tests.kubernetes.pod_runner", layout.url, str(layout.folder)]
    commands: dict[str, tuple[list[str], Callable[[], bool]]] = {
        "etcd": (control_plane.etcd(layout), lambda: _is_healthy(layout.etcd_url)),
        "kube-apiserver": (control_plane.api_server(layout, authority), partial(cluster.answers, "/readyz")),
        "kube-controller-manager": (
            control_plane.controller_manager(layout),
            partial(cluster.answers, _DEFAULT_ACCOUNT),
        ),
        "kube-scheduler": (control_plane.scheduler(layout), _lives),
        "kwok": (control_plane.kwok(layout, stages, network.cidr), _lives),
        "runner": (runner, _lives),
    }
    environ = {"PYTHONPATH": str(REPOSITORY), MARK: str(layout.folder)}
    for name, (command, is_ready) in commands.items():
        yield ClusterProcess(name, command, layout.folder / "log" / name, is_ready, environ)


def _kueue(cluster: Cluster, command: Sequence[str], ports: KueuePorts) -> ClusterProcess:
    def is_ready() -> bool:
        return _is_healthy(f"http://127.0.0.1:{ports.health}", "/readyz") and cluster.answers(VISIBILITY)

    environ = {"POD_NAMESPACE": "kueue-system", MARK: str(cluster.folder)}
    return ClusterProcess("kueue", command, cluster.folder / "log/kueue", is_ready, environ)


def _stop(cluster: Cluster) -> None:
    # Nobody waits for anybody: there is nothing to keep.
    for process in cluster.processes.values():
        process.kill()
    end_leftovers(cluster.folder)


def _lives() -> bool:
    return True


def _is_healthy(url: str, path: str = "/health") -> bool:
    try:
        return httpx.get(url + path, trust_env=False, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
