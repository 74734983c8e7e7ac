"""The hub's stock KubeSpawner, and ours with each engine, side by side in one cluster."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.kubernetes.accounts import pool_account
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fake_nodes import A100, FLAVOUR_LABEL, GPU
from tests.kubernetes.kube_lab import HUB, pool_yaml_of, servers_namespace
from tests.real_hub import wait_until
from tests.running_lab import RunningLab, running_lab

STOCK, ENGINES = "stock", ("kubernetes", "kueue")
_PATIENCE = 180
"""Seconds: a slow machine gives a slow answer instead of none."""

_SAME_FOR_ALL = f"""
c.JupyterHub.concurrent_spawn_limit = 0
c.Authenticator.allow_all = True
c.Spawner.start_timeout = c.Spawner.http_timeout = {_PATIENCE}
c.Spawner.poll_interval = 30
c.JupyterHub.tornado_settings = {{**c.JupyterHub.tornado_settings, "slow_spawn_timeout": {_PATIENCE}}}
"""
# the same home, and nothing of projects, datasets and logs, which stock servers don't have
_OURS = f"""
c.GPUKubeSpawner.start_timeout = {_PATIENCE}
c.GPUKubeSpawner.pool_timeout = 60
c.GPUKubeSpawner.projects_claim = c.GPUKubeSpawner.datasets_claim = c.GPUKubeSpawner.logs_claim = ""
"""
_STOCK = """
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.KubeSpawner.namespace = {namespace!r}
c.KubeSpawner.delete_grace_period = 2
c.KubeSpawner.uid, c.KubeSpawner.fs_gid = 1000, 100
c.KubeSpawner.container_security_context = {{
    "runAsNonRoot": True, "capabilities": {{"drop": ["ALL"]}}, "seccompProfile": {{"type": "RuntimeDefault"}},
}}
c.KubeSpawner.cpu_guarantee = c.KubeSpawner.cpu_limit = 1
c.KubeSpawner.mem_guarantee = c.KubeSpawner.mem_limit = "1G"
c.KubeSpawner.extra_resource_limits = {{{gpu!r}: "1"}}
c.KubeSpawner.node_selector = {{{label!r}: {product!r}}}
c.KubeSpawner.tolerations = [{{"key": {gpu!r}, "operator": "Exists", "effect": "NoSchedule"}}]
c.KubeSpawner.storage_pvc_ensure, c.KubeSpawner.storage_capacity = True, "10Gi"
c.KubeSpawner.storage_access_modes = ["ReadWriteMany"]
c.KubeSpawner.pvc_name_template = "claim-{{username}}"
c.KubeSpawner.volumes = [{{"name": "home", "persistentVolumeClaim": {{"claimName": "claim-{{username}}"}}}}]
c.KubeSpawner.volume_mounts = [{{"name": "home", "mountPath": "/home/jovyan"}}]
"""


@dataclass(frozen=True)
class ClusterLab:
    """A lab, its namespace of the cluster, and what it starts servers with: STOCK, or one of ENGINES."""

    kind: str
    lab: RunningLab
    cluster: Cluster
    namespace: str

    @property
    def account(self) -> str:
        """Whom the API server sees, be it the hub or the pool."""
        return f"system:serviceaccount:{self.namespace}:pool"

    def wait_until_nothing_is_left(self) -> None:
        """Wait until no server runs, no pod is there and Kueue counts nothing."""
        wait_until(self._is_empty, f"the end of all servers of {self.kind}", _PATIENCE)

    def _is_empty(self) -> bool:
        if self.lab.api("GET", "/users?state=active&limit=200").json():
            return False
        kinds = (f"/api/v1/namespaces/{self.namespace}/pods", _workloads(self.namespace))
        return not any(self.cluster.api.get(kind).raise_for_status().json()["items"] for kind in kinds)


def _workloads(namespace: str) -> str:
    return f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{namespace}/workloads"


def namespace_of(kind: str) -> str:
    """Where the servers of a lab are."""
    return f"bench-{kind}"


def pool_yaml(engine: str, namespace: str, gpus: int) -> str:
    """A project of all GPUs, of which everybody is a member; everything else is as by default."""
    sizes = {"flavour": "a100", "gpus": 1, "cpu": 1, "memory_gib": 1, "max_hours": 8}
    everybody = {"title": "Everybody", "members": {"everyone": True}, "nominal": {"a100": gpus}, "profiles": ["gpu-1"]}
    return pool_yaml_of(
        engine,
        namespace,
        flavours={"a100": {"title": "A100", "gpu_memory_gib": 80, "node_labels": {FLAVOUR_LABEL: A100}}},
        profiles={"gpu-1": {"title": "One GPU", **sizes}},
        projects={"everybody": everybody},
    )


@contextmanager
def stock_lab(cluster: Cluster, folder: Path) -> Iterator[ClusterLab]:
    """The hub with KubeSpawner, set to make the pods that ours makes; the parts of ours beside it are stopped."""
    hub = _STOCK.format(namespace=namespace_of(STOCK), gpu=GPU, label=FLAVOUR_LABEL, product=A100)
    with (
        _lab(cluster, folder, STOCK, hub_config=_SAME_FOR_ALL + hub) as made,
        _asleep([made.lab], "logs"),
        _asleep([made.lab], "pool"),
    ):
        yield made


@contextmanager
def our_lab(cluster: Cluster, folder: Path, engine: str, pool: str = "") -> Iterator[ClusterLab]:
    """Ours with one engine; `pool` is its pool.yaml where it isn't one of all GPUs."""
    namespace = namespace_of(engine)
    rules = pool or pool_yaml(engine, namespace, gpus=len(cluster.nodes.names()) * 8)
    hub = HUB.format(namespace=namespace) + _SAME_FOR_ALL + _OURS
    with _lab(cluster, folder, engine, hub_config=hub, pool_yaml=rules) as made:
        yield made


@contextmanager
def _lab(cluster: Cluster, folder: Path, kind: str, **arguments: object) -> Iterator[ClusterLab]:
    namespace = namespace_of(kind)
    with servers_namespace(cluster, namespace):
        account = pool_account(cluster, namespace, folder / f"{namespace}.kubeconfig")
        may_all = ("--clusterrole=cluster-admin", f"--serviceaccount={namespace}:pool")
        cluster.kubectl("create", "clusterrolebinding", namespace, *may_all)
        environ = {"KUBECONFIG": str(account)}
        with running_lab(folder / namespace, environ=environ, **arguments) as lab:
            yield ClusterLab(kind, lab, cluster, namespace)


@contextmanager
def alone(measured: ClusterLab, labs: Sequence[ClusterLab]) -> Iterator[None]:
    """Let the pools of all other labs sleep: they follow the pods of the whole cluster, and the cores are few."""
    others = [each.lab for each in labs if each is not measured and each.kind != STOCK]
    with _asleep(others, "pool"):
        yield
    for lab in others:
        wait_until(partial(_sees_all_free, lab), "a pool that has seen the end of others' pods", _PATIENCE)


def _sees_all_free(lab: RunningLab) -> bool:
    return all(flavour.free == flavour.total for flavour in lab.home("admin").pool.flavours)


@contextmanager
def _asleep(labs: Sequence[RunningLab], part: str) -> Iterator[None]:
    for lab in labs:
        lab.signal(part, signal.SIGSTOP)
    try:
        yield
    finally:
        for lab in labs:
            with contextlib.suppress(ProcessLookupError):
                lab.signal(part, signal.SIGCONT)
