"""Where pods run: those with a lease on its node and nowhere else, the others away from nodes with devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.gpuspawner.pods import manifest, pod_spawner
from tests.gpuspawner.test_pod_manifest import TOLERATIONS

pytestmark = pytest.mark.usefixtures("no_cluster")

# The flavours' own: any taint nvidia.com/gpu or google.com/tpu, and shared-gpus=yes:NoExecute.
DEVICES: dict[str, Any] = {
    "named alike": {"key": "nvidia.com/gpu", "operator": "Exists"},
    "with a value, where pool.yaml leaves it open": {"key": "nvidia.com/gpu", "value": "present"},
    "with an effect, where pool.yaml leaves it open": {
        "key": "google.com/tpu",
        "operator": "Exists",
        "effect": "NoSchedule",
    },
    "any value": {"key": "shared-gpus", "operator": "Exists"},
    "this value": {"key": "shared-gpus", "operator": "Equal", "value": "yes", "effect": "NoExecute"},
    "any effect": {"key": "shared-gpus", "value": "yes"},
    "everything": {"operator": "Exists"},
    "everything of one effect": {"operator": "Exists", "effect": "NoExecute"},
    "compared otherwise": {"key": "shared-gpus", "operator": "Gt", "value": "1"},
}
OTHERS: dict[str, Any] = {
    "of another key": {"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user"},
    "of another value": {"key": "shared-gpus", "operator": "Equal", "value": "no", "effect": "NoExecute"},
    "of another effect": {"key": "shared-gpus", "operator": "Equal", "value": "yes", "effect": "NoSchedule"},
    "without a value": {"key": "shared-gpus", "effect": "NoExecute"},
    "everything of an effect that no taint of devices has": {
        "key": "shared-gpus",
        "operator": "Exists",
        "effect": "PreferNoSchedule",
    },
}
ELSEWHERE: dict[str, Any] = {
    "nodeName": "control-plane",
    "nodeSelector": {"kubernetes.io/hostname": "node-2", "nvidia.com/gpu.product": "T4"},
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-2"]}]}
                ]
            }
        },
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]
        },
    },
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
    ],
}
SETTINGS: dict[str, Any] = {
    "node_selector": {"kubernetes.io/hostname": "node-3"},
    "node_affinity_required": [{"matchExpressions": [{"key": "user", "operator": "Exists"}]}],
    "pod_anti_affinity_required": [{"topologyKey": "kubernetes.io/hostname"}],
}
HERE = {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}]}


@pytest.mark.parametrize("toleration", DEVICES.values(), ids=DEVICES.keys())
@pytest.mark.parametrize("profile", ["cpu", "slice"])
async def test_configuration_opens_no_node_with_devices(tmp_path: Path, toleration: dict[str, Any], profile: str):
    pod = await manifest(pod_spawner(tmp_path, tolerations=[toleration]), profile)
    assert pod["spec"]["tolerations"] == TOLERATIONS[profile]


@pytest.mark.parametrize("toleration", OTHERS.values(), ids=OTHERS.keys())
@pytest.mark.parametrize("profile", ["cpu", "slice"])
async def test_toleration_of_other_taints_stays(tmp_path: Path, toleration: dict[str, Any], profile: str):
    pod = await manifest(pod_spawner(tmp_path, tolerations=[toleration]), profile)
    assert pod["spec"]["tolerations"] == [toleration, *TOLERATIONS[profile]]


@pytest.mark.parametrize("settings", [SETTINGS, {"extra_pod_config": ELSEWHERE}], ids=["settings", "extra_pod_config"])
async def test_configuration_can_neither_move_a_leased_pod_nor_keep_it_from_its_node(
    tmp_path: Path, settings: dict[str, Any]
):
    spec = (await manifest(pod_spawner(tmp_path, **settings), "whole"))["spec"]
    assert spec["affinity"] == {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": HERE}}
    assert spec["nodeSelector"] == {"nvidia.com/gpu.product": "A100-80"}
    assert "nodeName" not in spec and not spec.get("topologySpreadConstraints")


async def test_pod_without_devices_runs_where_the_configuration_lets_it_but_past_no_taint(tmp_path: Path):
    spec = (await manifest(pod_spawner(tmp_path, extra_pod_config=ELSEWHERE), "cpu"))["spec"]
    assert "nodeName" not in spec
    assert spec["nodeSelector"] == ELSEWHERE["nodeSelector"]
    assert spec["affinity"]["podAntiAffinity"]
    assert spec["topologySpreadConstraints"]
