"""Service accounts for tests, with the roles that the documentation names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes.client import Administrator
from tests.kubernetes.cluster import Cluster
from tests.real_hub import REPOSITORY

Manifest = dict[str, Any]


def pool_account(cluster: Cluster, namespace: str, path: Path) -> Path:
    """A kubeconfig of a new service account `pool`, which may do nothing yet."""
    cluster.kubectl("create", "serviceaccount", "pool", f"--namespace={namespace}")
    token = cluster.kubectl("create", "token", "pool", f"--namespace={namespace}").strip()
    content = yaml.safe_load(Administrator(cluster.layout.url, cluster.layout.pki).kubeconfig())
    content["users"][0]["user"] = {"token": token}
    content["contexts"][0]["context"]["namespace"] = namespace
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def documented_roles(name: str, namespace: str) -> list[Manifest]:
    """The block of docs/kubernetes.md in which a role has this name, for a namespace."""
    page = (REPOSITORY / "docs/kubernetes.md").read_text(encoding="utf-8")
    (block,) = [each for each in page.split("```yaml\n")[1:] if f"name: {name}" in each]
    text = block.partition("```")[0].replace("namespace: jupyterhub", f"namespace: {namespace}")
    return list(yaml.safe_load_all(text))
