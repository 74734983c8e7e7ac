"""Namespaces in which pods can be made at once."""

from __future__ import annotations

from typing import Protocol


class Cluster(Protocol):
    """What is needed of a cluster."""

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl, which has to work, and return what it prints."""


def wait_for_account(cluster: Cluster, namespace: str) -> None:
    """Wait for the account of its pods, without which none is let in; the cluster makes it a moment after."""
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={namespace}", "--timeout=60s")
