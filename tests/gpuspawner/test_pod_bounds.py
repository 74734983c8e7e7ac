"""What holds for every researcher's pod, whatever the hub's configuration says and whatever was started before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gpuspawner.hub_errors import NotStarted
from gpuspawner.kubernetes import GPUKubeSpawner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from traitlets import TraitError

from tests.gpuspawner.pods import PROFILES, manifest, pod_spawner
from tests.gpuspawner.test_any_json import OPTIONS
from tests.gpuspawner.test_pod_manifest import RESOURCES, environment, mounts, notebook

pytestmark = pytest.mark.usefixtures("no_cluster")
EXAMPLES = settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))

# Names and values are those that the chart for JupyterHub 4.4.0 sets from its defaults, and some that a lab may set.
CHART: dict[str, Any] = {
    "common_labels": {"app": "jupyterhub", "release": "lab", "kueue.x-k8s.io/queue-name": "gpu"},
    "extra_labels": {"hub.jupyter.org/network-access-hub": "true"},
    "pvc_name_template": "claim-{user_server}",
    "storage_access_modes": ["ReadWriteOnce"],
    "storage_capacity": "10Gi",
    "slug_scheme": "escape",
    "remember_pvc_name": True,
    "volumes": {
        "volume-{user_server}": {
            "name": "volume-{user_server}",
            "persistentVolumeClaim": {"claimName": "{pvc_name}"},
        },
        "scratch": {"name": "scratch", "emptyDir": {}},
    },
    "volume_mounts": {
        "volume-{user_server}": {"mountPath": "/home/jovyan", "name": "volume-{user_server}", "subPath": None},
        "scratch": {"mountPath": "/scratch", "name": "scratch"},
        "all": {"mountPath": "/projects/vision/", "name": "volume-{user_server}"},
    },
    "image": "quay.io/jupyterhub/k8s-singleuser-sample:4.4.0",
    "uid": 1000,
    "fs_gid": 100,
    "allow_privilege_escalation": None,
    "mem_guarantee": "1G",
    "cpu_limit": 99,
    "extra_resource_limits": {"nvidia.com/gpu": "8"},
    "extra_resource_guarantees": {"nvidia.com/gpu": "8"},
    "node_selector": {"kubernetes.io/os": "linux"},
    "node_affinity_preferred": [
        {
            "weight": 100,
            "preference": {
                "matchExpressions": [{"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}]
            },
        }
    ],
    "tolerations": [
        {"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user", "effect": "NoSchedule"},
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"operator": "Exists"},
    ],
    "init_containers": [
        {
            "name": "block-cloud-metadata",
            "image": "quay.io/jupyterhub/k8s-network-tools:4.4.0",
            "command": ["iptables", "--append", "OUTPUT"],
            "securityContext": {"runAsUser": 0, "privileged": True, "capabilities": {"add": ["NET_ADMIN"]}},
        }
    ],
    "extra_containers": [{"name": "helper", "image": "lab/helper:1", "securityContext": {"privileged": True}}],
    "service_account": "hub",
    "automount_service_account_token": True,
    "extra_pod_config": {
        "hostNetwork": True,
        "hostPID": True,
        "restartPolicy": "Always",
        "enableServiceLinks": True,
        "imagePullSecrets": [{"name": "chart-key"}],
        "securityContext": {"runAsUser": 0, "fsGroup": 0, "supplementalGroups": [0, 2000]},
    },
    "extra_container_config": {"securityContext": {"runAsUser": 0, "privileged": True}},
    "pod_security_context": {"fsGroup": 0, "supplementalGroups": [0, 2000]},
    "profile_list": [
        {"display_name": "Root", "slug": "whole", "default": True, "kubespawner_override": {"privileged": True}}
    ],
    "environment": {"NVIDIA_VISIBLE_DEVICES": "all", "LABPOOL_TICKET": "forged", "COLOUR": "blue"},
}


MORE: dict[str, Any] = {
    "volumes": [{"name": "all", "persistentVolumeClaim": {"claimName": "projects"}}],
    "tolerations": [{"operator": "Exists"}, {"key": "nvidia.com/gpu", "operator": "Exists"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "big", "operator": "Exists"}]}]
            }
        }
    },
    "serviceAccountName": "hub",
}


VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def hardened(pod: dict[str, Any]) -> None:
    spec = pod["spec"]
    assert [spec[key] for key in ("automountServiceAccountToken", "enableServiceLinks")] == [False, False]
    assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["fsGroup"] > 0
    assert 0 not in spec["securityContext"]["supplementalGroups"]
    assert not any(spec.get(key) for key in ("shareProcessNamespace", "nodeName", "resourceClaims", "resources"))
    for volume in spec["volumes"]:
        assert {*volume} - {"name"} <= VOLUMES
        assert not any("serviceAccountToken" in each for each in volume.get("projected", {}).get("sources", ()))
    for container in (*spec["containers"], *spec["initContainers"]):
        assert not any({"hostPort", "hostIP"} & {*port} for port in container.get("ports", ()))
        if container["name"] != "notebook":
            asked = container.get("resources", {})
            assert not any("/" in name for each in ("limits", "requests") for name in asked.get(each, ()))
            assert "claims" not in asked
            assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"} in container["env"]
        bounds = container["securityContext"]
        assert bounds["runAsUser"] > 0 and bounds["runAsGroup"] > 0
        assert (bounds["runAsNonRoot"], bounds["allowPrivilegeEscalation"], bounds["privileged"]) == (
            True,
            False,
            False,
        )
        assert bounds["capabilities"] == {"drop": ["ALL"]}
        assert bounds["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pool")


@pytest.mark.parametrize("profile", PROFILES)
async def test_pod_keeps_within_its_bounds_whatever_the_chart_sets(tmp_path: Path, profile: str):
    pod = await manifest(pod_spawner(tmp_path, **CHART), profile)
    hardened(pod)
    assert notebook(pod)["resources"] == {"limits": RESOURCES[profile], "requests": RESOURCES[profile]}
    assert pod["spec"]["restartPolicy"] == "Never"
    assert "kueue.x-k8s.io/queue-name" not in pod["metadata"]["labels"]
    keys = [toleration["key"] for toleration in pod["spec"]["tolerations"]]
    assert keys[0] == "hub.jupyter.org/dedicated"
    assert ("nvidia.com/gpu" in keys) == (profile in {"whole", "slice"})
    assert environment(pod).get("LABPOOL_TICKET") == (f"ticket-{profile}" if profile != "cpu" else "forged")
    assert environment(pod).get("NVIDIA_VISIBLE_DEVICES") == ("void" if profile == "cpu" else None)


async def test_what_the_chart_sets_beside_that_stays(tmp_path: Path):
    pod = await manifest(pod_spawner(tmp_path, **CHART), "whole")
    spec, labels = pod["spec"], pod["metadata"]["labels"]
    assert (labels["release"], labels["hub.jupyter.org/network-access-hub"]) == ("lab", "true")
    assert spec["nodeSelector"] == {"nvidia.com/gpu.product": "A100-80"}
    assert environment(pod)["COLOUR"] == "blue"
    assert mounts(pod)["/scratch"] == ("disk", "", False)
    assert [container["name"] for container in spec["containers"]] == ["notebook", "helper"]
    assert spec["initContainers"] == []  # it wanted to be root
    cpu = (await manifest(pod_spawner(tmp_path, **CHART), "cpu"))["spec"]
    assert cpu["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert cpu["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]


async def test_keys_of_the_pods_spec_are_bounded_like_the_settings_that_they_stand_for(folder: Path):
    cpu = await manifest(pod_spawner(folder, extra_pod_config=MORE), "cpu")
    hardened(cpu)
    assert cpu["spec"]["tolerations"] == []
    assert "all" not in {volume["name"] for volume in cpu["spec"]["volumes"]}  # mounted nowhere


async def test_chart_can_neither_move_the_home_nor_mount_another_one(tmp_path: Path):
    spawner = pod_spawner(tmp_path, user="Ada", **CHART)
    pod, claim = await manifest(spawner, "cpu"), spawner.get_pvc_manifest()
    assert mounts(pod)["/home/jovyan"] == (claim.metadata.name, "", False)
    assert mounts(pod)["/projects/vision"] == ("projects", "vision", False)
    assert claim.metadata.name.startswith("claim-ada---")
    assert claim.spec.access_modes == ["ReadWriteMany"]
    paths = [mount["mountPath"].rstrip("/") for mount in notebook(pod)["volumeMounts"]]
    assert len(paths) == len(set(paths))
    spawner.load_state({"pod_name": "jupyter-ada", "pvc_name": "claim-of-an-older-hub", "kubespawner_version": "6"})
    assert spawner.pvc_name == claim.metadata.name


async def test_admins_override_holds_and_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    spawner = pod_spawner(tmp_path)
    spawner.log.propagate = True
    spawner.pod_overrides = {"runtimeClassName": "nvidia", "enableServiceLinks": True}
    pod = await manifest(spawner, "cpu")
    assert (pod["spec"]["runtimeClassName"], pod["spec"]["enableServiceLinks"]) == ("nvidia", True)
    assert "pod_overrides replaces runtimeClassName, enableServiceLinks of jupyter-ada" in caplog.text


async def test_override_of_what_a_pod_does_not_have_is_refused_with_a_remedy(folder: Path):
    with pytest.raises(TraitError, match="expected keys of a pod's spec as the API names them"):
        pod_spawner(folder).pod_overrides = {"runtime_class": "nvidia"}


@pytest.mark.parametrize("pool_id", ["lab 1", "-lab", "lab_", "a" * 64, "lab/1", "lab\n", "ä"])
async def test_pools_id_that_can_be_no_label_is_refused_with_a_remedy(folder: Path, pool_id: str):
    with pytest.raises(TraitError, match="expected the value of a label: at most 63"):
        pod_spawner(folder).pool_id = pool_id


@pytest.mark.parametrize("pool_id", ["", "a", "0f" * 8, "a" * 63, "Lab_1.gpu-x"])
async def test_pools_id_is_a_label_of_each_pod(folder: Path, pool_id: str):
    spawner = pod_spawner(folder)
    spawner.pool_id = pool_id
    labels = (await manifest(spawner, "cpu"))["metadata"]["labels"]
    assert labels.get("labpool/pool", "") == pool_id


async def test_what_a_lab_sets_in_the_chart_leaves_the_form_to_us(tmp_path: Path):
    spawner = pod_spawner(tmp_path, **CHART)
    assert spawner.options_form.__name__ == "render_form"
    assert spawner.options_from_form.__qualname__ == "Asking.options_to_store"


def traits_of(spawner: GPUKubeSpawner) -> dict[str, str]:
    """All settings of a spawner, those that it works out at first use included."""
    return {name: repr(getattr(spawner, name)) for name in spawner.trait_names(config=True)}


@EXAMPLES
@given(sequence=st.lists(st.sampled_from(PROFILES), min_size=1, max_size=5), last=st.sampled_from(PROFILES))
@example(sequence=["whole"], last="cpu")
async def test_reused_spawner_keeps_nothing_of_earlier_starts(folder: Path, sequence: list[str], last: str):
    fresh, used = pod_spawner(folder, **CHART), pod_spawner(folder, **CHART)
    before = traits_of(used)
    for profile in sequence:
        await manifest(used, profile)
    assert await manifest(used, last) == await manifest(fresh, last)
    assert traits_of(used) == before


@EXAMPLES
@given(sent=OPTIONS)
@example(sent={"profile": "whole", "kubespawner_override": {"privileged": True}})
@example(sent={"profile": "whole", "image": "mine", "project": "vision", "hours": 1})
@example(sent={"project": "vision", "profile": "cpu", "hours": 1})
async def test_whatever_a_user_sends_reaches_no_setting_and_no_pod(folder: Path, sent: object):
    spawner = pod_spawner(folder, **CHART)
    before = traits_of(spawner)
    if isinstance(sent, dict):  # the hub itself lets nothing else through
        spawner.user_options = sent
    spawner.apply_user_options(spawner, sent)
    await spawner.load_user_options()
    try:
        options = spawner.asking.parse(sent)
        assert set(options.to_store()) == {"project", "profile", "hours"}
        spawner.plan(options, None)
    except NotStarted:
        pass
    else:
        hardened(json.loads(json.dumps(await manifest(spawner, "cpu"))))
    assert traits_of(spawner) == before
