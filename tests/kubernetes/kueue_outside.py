"""Kueue beside the cluster instead of in it: its manifests pointed at this machine, and a folder that it runs in.

Kueue reads some certificates from fixed paths, /etc/kueue/metrics/certs and /visibility. So its process gets the
folder of this cluster as its root: nothing is written outside, and two clusters don't meet. Its ports are all settings.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes import programs
from tests.kubernetes.certificates import Authority

Manifest = dict[str, Any]
SERVED_AS = "kueue-visibility-server.kueue-system.svc"
"""What the API server expects on the certificate of Kueue's own API."""
_CERTIFICATE_FOLDERS = ("certs", "etc/kueue/metrics/certs", "visibility")
_CONFIG = """
apiVersion: config.kueue.x-k8s.io/v1beta2
kind: Configuration
health: {{healthProbeBindAddress: "127.0.0.1:{ports.health}"}}
metrics: {{bindAddress: "0"}}
webhook: {{host: 127.0.0.1, port: {ports.webhook}, certDir: /certs}}
visibilityServer: {{bindAddress: 127.0.0.1, bindPort: {ports.visibility}}}
leaderElection: {{leaderElect: false}}
internalCertManagement: {{enable: false}}
clientConnection: {{qps: 300, burst: 500}}
integrations: {{frameworks: [batch/job, pod]}}
managedJobsNamespaceSelector: {{matchLabels: {{labpool: "true"}}}}
fairSharing: {{preemptionStrategies: [LessThanOrEqualToFinalShare, LessThanInitialShare]}}
"""


@dataclass(frozen=True)
class KueuePorts:
    """Where Kueue listens, all on 127.0.0.1."""

    health: int
    webhook: int
    visibility: int


def furnish(root: Path, ports: KueuePorts, authority: Authority, kubeconfig: Path) -> list[str]:
    """Lay out the folder that Kueue sees as its root, and return the command that starts it there."""
    root.mkdir()
    _link_or_copy(programs.folder() / "kueue", root / "kueue")
    shutil.copy(kubeconfig, root / "kubeconfig")
    pair = authority.pair("kueue", hosts=[SERVED_AS])
    for name in _CERTIFICATE_FOLDERS:
        (root / name).mkdir(parents=True)
        shutil.copy(pair.certificate, root / name / "tls.crt")
        shutil.copy(pair.key, root / name / "tls.key")
    (root / "config.yaml").write_text(_CONFIG.format(ports=ports), encoding="utf-8")
    # Who isn't root may change the root of a process in a user namespace of its own.
    allowed = [] if os.geteuid() == 0 else ["--map-root-user"]
    settings = ["--config=/config.yaml", "--kubeconfig=/kubeconfig", "--zap-log-level=2"]
    return ["unshare", *allowed, f"--root={root}", "--wd=/", "/kueue", *settings]


def manifests(ports: KueuePorts, authority: Authority) -> list[Manifest]:
    """Kueue's own manifests for a controller on this machine: definitions, roles, webhooks and its API."""
    trust = base64.b64encode(authority.certificate.read_bytes()).decode()
    text = (programs.folder() / programs.KUEUE_MANIFESTS).read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    everything = yaml.load_all(text, Loader=loader)  # both loaders are safe
    return [_outside(each, ports, trust) for each in everything if _is_kept(each)]


def defined(manifests: Sequence[Manifest]) -> set[tuple[str, str]]:
    """The kinds that they define: group with version, and what the objects are called in addresses."""
    definitions = [each["spec"] for each in manifests if each["kind"] == "CustomResourceDefinition"]
    return {
        (f"{definition['group']}/{version['name']}", definition["names"]["plural"])
        for definition in definitions
        for version in definition["versions"]
        if version["served"]
    }


def _is_kept(manifest: Manifest) -> bool:
    # What leads to its pod goes, but for the Service that the API server's APIService has to name.
    is_its_api = "visibility" in manifest["metadata"]["name"]
    return manifest["kind"] != "Deployment" and (manifest["kind"] != "Service" or is_its_api)


def _outside(manifest: Manifest, ports: KueuePorts, trust: str) -> Manifest:
    match manifest["kind"]:
        case "Service":
            manifest["spec"] = {"type": "ExternalName", "externalName": "localhost"}
        case "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration":
            for hook in manifest["webhooks"]:
                hook["clientConfig"] = _at(hook["clientConfig"], ports, trust)
        case "CustomResourceDefinition" if manifest["spec"].get("conversion", {}).get("strategy") == "Webhook":
            webhook = manifest["spec"]["conversion"]["webhook"]
            webhook["clientConfig"] = _at(webhook["clientConfig"], ports, trust)
        case "APIService":
            manifest["spec"].pop("insecureSkipTLSVerify", None)
            manifest["spec"]["service"]["port"] = ports.visibility
            manifest["spec"]["caBundle"] = trust
    return manifest


def _at(client: Manifest, ports: KueuePorts, trust: str) -> Manifest:
    return {"url": f"https://127.0.0.1:{ports.webhook}{client['service']['path']}", "caBundle": trust}


def _link_or_copy(program: Path, to: Path) -> None:
    try:
        to.hardlink_to(program)
    except OSError:  # another file system
        shutil.copy(program, to)
