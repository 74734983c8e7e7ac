"""How each program of a cluster is started: all on 127.0.0.1, and nothing written outside the cluster's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.kubernetes import programs
from tests.kubernetes.certificates import Authority
from tests.ports import free_ports

NODE_ANNOTATION = "kwok.x-k8s.io/node"
"""KWOK plays the nodes that carry it."""
_AUDIT_POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- {level: Metadata, userGroups: ["system:serviceaccounts"]}
- {level: None}
"""
"""Nothing of the cluster's own programs: all of those are its administrator."""


@dataclass(frozen=True)
class Layout:
    """Where a cluster's files and ports are."""

    folder: Path
    etcd: int
    etcd_peer: int
    api_server: int
    audited: bool = False
    """Whether the API server writes down what service accounts ask it for."""

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.folder / "pki"

    @property
    def kubeconfig(self) -> Path:
        """For kubectl and all clients."""
        return self.folder / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """If it is `audited`: a JSON object a line for each request."""
        return self.folder / "log/audit"

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://127.0.0.1:{self.api_server}"

    @property
    def etcd_url(self) -> str:
        """Where the API server finds etcd."""
        return f"http://127.0.0.1:{self.etcd}"

    @classmethod
    def on_free_ports(cls, folder: Path, audited: bool = False) -> Layout:
        """A layout in `folder`."""
        etcd, etcd_peer, api_server = free_ports(3)
        return cls(folder, etcd, etcd_peer, api_server, audited)


def etcd(layout: Layout) -> list[str]:
    """Where the API server keeps everything. Without fsync: what it wrote outlives its process, not the machine."""
    peer = f"http://127.0.0.1:{layout.etcd_peer}"
    clients = [f"--listen-client-urls={layout.etcd_url}", f"--advertise-client-urls={layout.etcd_url}"]
    alone = [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"]
    return [_program("etcd"), f"--data-dir={layout.folder}/etcd", "--unsafe-no-fsync", *clients, *alone]


def api_server(layout: Layout, authority: Authority) -> list[str]:
    """The API server, with certificates for clients, tokens for service accounts and room for Kueue's own API."""
    own = authority.pair("kube-apiserver", hosts=["kubernetes.default.svc"])
    front = authority.pair("front-proxy")
    accounts = authority.signing_key("service-accounts")
    return [
        _program("kube-apiserver"),
        f"--etcd-servers={layout.etcd_url}",
        f"--secure-port={layout.api_server}",
        "--bind-address=127.0.0.1",
        "--endpoint-reconciler-type=none",  # or it looks for an address that others reach it by
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        f"--client-ca-file={authority.certificate}",
        f"--tls-cert-file={own.certificate}",
        f"--tls-private-key-file={own.key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={accounts.certificate}",
        f"--service-account-signing-key-file={accounts.key}",
        f"--requestheader-client-ca-file={authority.certificate}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={front.certificate}",
        f"--proxy-client-key-file={front.key}",
        *(_audit(layout) if layout.audited else ()),
    ]


def _audit(layout: Layout) -> list[str]:
    policy = layout.folder / "audit-policy.yaml"
    policy.write_text(_AUDIT_POLICY, encoding="utf-8")
    return [f"--audit-policy-file={policy}", f"--audit-log-path={layout.audit_log}"]


def controller_manager(layout: Layout) -> list[str]:
    """Service accounts, garbage collection, volumes' claims and the like."""
    return [
        _program("kube-controller-manager"),
        f"--kubeconfig={layout.kubeconfig}",
        f"--service-account-private-key-file={layout.pki}/service-accounts.key",
        f"--root-ca-file={layout.pki}/ca.crt",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def scheduler(layout: Layout) -> list[str]:
    """What finds a node for a pod."""
    return [_program("kube-scheduler"), f"--kubeconfig={layout.kubeconfig}", "--leader-elect=false", "--secure-port=0"]


def kwok(layout: Layout, stages: Path, cidr: str) -> list[str]:
    """What plays the kubelets of the fake nodes: heartbeats, and an address in `cidr` for each pod.

    Started again it waits for the leases of its nodes to end: up to 40 seconds without an address for new pods.
    """
    return [
        _program("kwok"),
        f"--config={stages}",
        f"--kubeconfig={layout.kubeconfig}",
        f"--cidr={cidr}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={NODE_ANNOTATION}=fake",
        "--node-lease-duration-seconds=40",
    ]


def _program(name: str) -> str:
    return str(programs.folder() / name)
