"""Namespaces of a test cluster that are ready for pods."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx

from tests.real_hub import wait_until

SAFE: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""The securityContext of a container that Pod Security lets into any namespace."""
_SMALL_POD = {
    "metadata": {"generateName": "only-tried-"},
    "spec": {"containers": [{"name": "main", "image": "none", "securityContext": SAFE}]},
}
_LONGEST = 180
"""Seconds; an earlier namespace of the same name may have to go first."""


def make_namespace(api: httpx.Client, name: str, labels: Mapping[str, str] = MappingProxyType({})) -> None:
    """Make a namespace unless it is there, and wait until it lets pods in.

    That takes more than the namespace: the cluster makes the account of its pods a moment later, and Kueue, which is
    asked about each pod, hears of the namespace by a watch.
    """
    wanted = {"metadata": {"name": name, "labels": dict(labels)}}
    refusal = ""

    def is_ready() -> bool:
        nonlocal refusal
        api.post("/api/v1/namespaces", json=wanted)  # refused while one of this name is there, be it on its way out
        refusal = why_refused(api, name)
        return not refusal

    try:
        wait_until(is_ready, f"a namespace {name} that lets pods in", _LONGEST)
    except AssertionError as late:
        raise AssertionError(f"{late}: {refusal}") from late


def why_refused(api: httpx.Client, namespace: str) -> str:
    """Why a small pod would not be let in now; empty where it would be."""
    answer = api.post(f"/api/v1/namespaces/{namespace}/pods", params={"dryRun": "All"}, json=_SMALL_POD)
    return "" if answer.is_success else answer.text
