"""How tests and the cluster itself speak to its API server: plain HTTP as its administrator, or kubectl."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx

_KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{{name: test, cluster: {{server: "{url}", certificate-authority-data: "{ca}"}}}}]
users: [{{name: admin, user: {{client-certificate-data: "{certificate}", client-key-data: "{key}"}}}}]
contexts: [{{name: test, context: {{cluster: test, user: admin, namespace: default}}}}]
current-context: test
"""


@dataclass(frozen=True)
class Administrator:
    """Who may do anything in a cluster.

    Args:
        url: The API server.
        pki: The folder with ca.crt, admin.crt and admin.key.
    """

    url: str
    pki: Path

    def client(self) -> httpx.Client:
        """A client; a status of 400 and above raises nothing by itself."""
        return httpx.Client(base_url=self.url, verify=self._trust(), trust_env=False, timeout=30)

    def async_client(self) -> httpx.AsyncClient:
        """The same without blocking, and with as many connections as are asked for."""
        many = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        return httpx.AsyncClient(base_url=self.url, verify=self._trust(), trust_env=False, timeout=30, limits=many)

    def kubeconfig(self) -> str:
        """The same for kubectl and for Kubernetes clients, in one file that needs no other."""
        names = {"ca": "ca.crt", "certificate": "admin.crt", "key": "admin.key"}
        files = {key: base64.b64encode((self.pki / name).read_bytes()).decode() for key, name in names.items()}
        return _KUBECONFIG.format(url=self.url, **files)

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(self.pki / "admin.crt", self.pki / "admin.key")
        return context
