"""The pods of every kind of profile, as they are sent to the cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gpuspawner.hub_errors import NotStarted
from gpuspawner.pod_settings import check_named
from traitlets.config import Config

from tests.gpuspawner.pods import DIGEST, PROFILES, lease, manifest, pod_spawner

pytestmark = pytest.mark.usefixtures("no_cluster")

Pod = dict[str, Any]
RESOURCES = {
    "cpu": {"cpu": "2000m", "memory": "4096Mi", "ephemeral-storage": "10240Mi"},
    "whole": {"cpu": "16000m", "memory": "131072Mi", "ephemeral-storage": "40960Mi", "nvidia.com/gpu": "2"},
    "slice": {"cpu": "4000m", "memory": "16384Mi", "ephemeral-storage": "10240Mi", "nvidia.com/mig-1g.10gb": "1"},
    "quarter": {"cpu": "2500m", "memory": "8192Mi", "ephemeral-storage": "10240Mi", "nvidia.com/gpu.shared": "1"},
    "tpu": {"cpu": "8000m", "memory": "32768Mi", "ephemeral-storage": "10240Mi", "google.com/tpu": "4"},
}
TOLERATIONS = {
    "cpu": [],
    "whole": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
    "slice": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
    "quarter": [{"key": "shared-gpus", "operator": "Equal", "value": "yes", "effect": "NoExecute"}],
    "tpu": [{"key": "google.com/tpu", "operator": "Exists"}],
}


def notebook(pod: Pod) -> Pod:
    container: Pod = pod["spec"]["containers"][0]
    return container


def environment(pod: Pod) -> dict[str, str]:
    return {each["name"]: each["value"] for each in notebook(pod)["env"]}


def mounts(pod: Pod) -> dict[str, tuple[str, str, bool]]:
    """Claim (or medium), part and whether it is read-only, for each folder."""
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}

    def source(name: str) -> str:
        claim = volumes[name].get("persistentVolumeClaim")
        return claim["claimName"] if claim else volumes[name].get("emptyDir", {}).get("medium", "disk")

    return {
        mount["mountPath"]: (source(mount["name"]), mount.get("subPath", ""), mount.get("readOnly", False))
        for mount in notebook(pod)["volumeMounts"]
    }


@pytest.mark.parametrize("profile", PROFILES)
async def test_pod_asks_for_what_the_lease_holds_and_no_more(tmp_path: Path, profile: str):
    pod = await manifest(pod_spawner(tmp_path), profile)
    assert notebook(pod)["resources"] == {"limits": RESOURCES[profile], "requests": RESOURCES[profile]}
    assert pod["spec"]["tolerations"] == TOLERATIONS[profile]


@pytest.mark.parametrize("profile", PROFILES)
async def test_pod_runs_on_the_node_of_its_lease_and_a_cpu_profile_anywhere(tmp_path: Path, profile: str):
    spec = (await manifest(pod_spawner(tmp_path), profile))["spec"]
    if profile == "cpu":
        assert "affinity" not in spec
        return
    required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    here = {"key": "metadata.name", "operator": "In", "values": ["node-1"]}
    assert required == {"nodeSelectorTerms": [{"matchFields": [here]}]}
    assert spec.get("nodeSelector", {}) == ({"nvidia.com/gpu.product": "A100-80"} if profile == "whole" else {})


async def test_image_is_the_profiles_by_digest_with_its_secrets_or_else_the_hubs(tmp_path: Path):
    spawner = pod_spawner(tmp_path, image="lab/hub-default:1", image_pull_secrets=["hub-key"])
    whole, cpu = await manifest(spawner, "whole"), await manifest(spawner, "cpu")
    assert notebook(whole)["image"] == f"registry.example.org/lab/tf@{DIGEST}"
    assert whole["spec"]["imagePullSecrets"] == [{"name": "hub-key"}, {"name": "lab-key"}]
    assert environment(whole)["JUPYTER_IMAGE"] == notebook(whole)["image"]
    assert (notebook(cpu)["image"], cpu["spec"]["imagePullSecrets"]) == ("lab/hub-default:1", [{"name": "hub-key"}])


async def test_folders_are_the_users_home_and_logs_and_this_projects_alone(tmp_path: Path):
    vision = await manifest(pod_spawner(tmp_path), "cpu")
    assert mounts(vision) == {
        "/home/jovyan": ("claim-ada", "", False),
        "/projects/vision": ("projects", "vision", False),
        "/logs/vision": ("logs", "ada/vision", False),
        "/datasets/digits": ("datasets", "digits/v2", True),
        "/datasets/texts": ("datasets", "texts", True),
        "/run/labpool": ("disk", "", False),
        "/dev/shm": ("Memory", "", False),
    }
    speech = await manifest(pod_spawner(tmp_path), "cpu", "speech")
    assert {path for path in mounts(speech) if not path.startswith(("/home", "/run", "/dev"))} == {
        "/projects/speech",
        "/logs/speech",
    }


async def test_name_that_looks_like_a_template_stays_a_name(tmp_path: Path):
    pod = await manifest(pod_spawner(tmp_path, "{pod_name}"), "cpu")
    assert mounts(pod)["/logs/vision"] == ("logs", "{pod_name}/vision", False)


async def test_shared_memory_is_bounded_and_a_quarter_of_the_memory_where_nothing_is_said(tmp_path: Path):
    sizes = {}
    for profile in ("whole", "slice"):
        pod = await manifest(pod_spawner(tmp_path), profile)
        (sizes[profile],) = (each["emptyDir"] for each in pod["spec"]["volumes"] if each["name"] == "labpool-shm")
    assert sizes == {
        "whole": {"medium": "Memory", "sizeLimit": "16384Mi"},
        "slice": {"medium": "Memory", "sizeLimit": "4096Mi"},
    }


async def test_server_is_told_ticket_project_and_where_things_are(tmp_path: Path):
    pod = await manifest(pod_spawner(tmp_path), "quarter")
    told = environment(pod)
    assert (told["LABPOOL_TICKET"], told["LABPOOL_TICKET_TOKEN"]) == ("ticket-quarter", "ticket-token")
    assert (told["LABPOOL_PROJECT"], told["LABPOOL_LOGS"], told["LABPOOL_RUNTIME"]) == (
        "vision",
        "/logs",
        "/run/labpool",
    )
    assert (told["LABPOOL_POOL_URL"], told["HOME"]) == ("http://proxy/services/pool", "/home/jovyan")
    assert told["LABPOOL_GPU_MEMORY_GIB"] == "4"  # it shares a card, and may use so much of it
    assert (told["MEM_LIMIT"], told["CPU_LIMIT"]) == (str(8 * 2**30), "2.5")
    assert {"CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"}.isdisjoint(told)  # the device plugin says that
    assert pod["metadata"]["annotations"]["labpool/ticket"] == "ticket-quarter"
    assert pod["metadata"]["labels"]["labpool/project"] == "vision"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 120  # for a last checkpoint


@pytest.mark.parametrize("profile", ["cpu", "whole"])
async def test_server_is_told_of_no_folder_that_is_not_there(tmp_path: Path, profile: str):
    spawner = pod_spawner(tmp_path)
    spawner.logs_claim = spawner.projects_claim = spawner.datasets_claim = ""
    pod = await manifest(spawner, profile)
    paths = set(mounts(pod))
    assert paths == {"/home/jovyan", "/run/labpool", "/dev/shm"}
    told = {name: value for name, value in environment(pod).items() if value.startswith("/")}
    assert "LABPOOL_LOGS" not in told
    for name in ("HOME", "LABPOOL_RUNTIME"):
        assert told[name] in paths


async def test_cpu_server_has_no_ticket_and_sees_no_card_whatever_its_image_asks_for(tmp_path: Path):
    pod = await manifest(pod_spawner(tmp_path, environment={"NVIDIA_VISIBLE_DEVICES": "all"}), "cpu")
    told = environment(pod)
    assert (told["CUDA_VISIBLE_DEVICES"], told["NVIDIA_VISIBLE_DEVICES"]) == ("", "void")
    assert "LABPOOL_TICKET" not in told
    assert "labpool/ticket" not in pod["metadata"]["annotations"]


@pytest.mark.parametrize(("section", "missing"), [("flavour", "slice"), ("profile", "slice")])
async def test_what_the_hubs_pool_yaml_does_not_name_is_not_guessed(tmp_path: Path, section: str, missing: str):
    spawner = pod_spawner(tmp_path)
    options = spawner.asking.parse({"project": "vision", "profile": "slice", "hours": 1})
    cluster = spawner.asking.pool_file.cluster
    behind = replace(cluster, **{f"{section}s": {}})
    check_named(options, lease("slice"), cluster)
    with pytest.raises(NotStarted, match=f"does not name the {section} '{missing}'") as refused:
        check_named(options, lease("slice"), behind)
    assert refused.value.headers["Labpool-Reason"] == "settings_differ"


async def test_server_of_a_profile_that_was_removed_meanwhile_is_not_started(tmp_path: Path):
    spawner = pod_spawner(tmp_path)
    options = spawner.asking.parse({"project": "vision", "profile": "gone", "hours": 1})
    with pytest.raises(NotStarted, match="Both need the same"):
        spawner.plan(options, lease("slice"))


@pytest.mark.parametrize("user", ["ada", "Ada", "ada.l", "ada--x", "ada/../bert", "a" * 200, "{pod_name}", "ada\n"])
async def test_homes_of_different_names_are_different_claims(tmp_path: Path, user: str):
    claims = {pod_spawner(tmp_path, name).pvc_name for name in (user, "bert", "ada-x", f"{user}x")}
    assert len(claims) == 4
    assert all(claim.startswith("claim-") and len(claim) < 64 for claim in claims)


async def test_home_is_one_claim_for_all_of_a_users_servers_on_any_node(tmp_path: Path):
    claim = pod_spawner(tmp_path).get_pvc_manifest()
    assert (claim.metadata.name, claim.spec.access_modes) == ("claim-ada", ["ReadWriteMany"])


async def test_lab_whose_storage_is_on_one_node_at_a_time_says_so_itself(tmp_path: Path):
    once = Config({"GPUKubeSpawner": {"home_access_mode": "ReadWriteOnce"}})
    claim = pod_spawner(tmp_path, more=once, storage_access_modes=["ReadOnlyMany"]).get_pvc_manifest()
    assert claim.spec.access_modes == ["ReadWriteOnce"]


async def test_name_that_can_be_no_folder_is_refused(tmp_path: Path):
    with pytest.raises(Exception, match="can't have a home folder"):
        await manifest(pod_spawner(tmp_path, "ada/../bert"), "cpu")
