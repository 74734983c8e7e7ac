"""What breaks the rules of researchers' pods is left out whichever way it comes, with a line in the log for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gpuspawner.hub_errors import NotStarted
from gpuspawner.kubernetes import GPUKubeSpawner

from tests.gpuspawner.fake_cluster import FakeCluster
from tests.gpuspawner.pods import PROFILES, lease, manifest, pod_spawner
from tests.gpuspawner.test_pod_bounds import CHART, hardened
from tests.gpuspawner.test_pod_manifest import RESOURCES, environment, mounts, notebook

pytestmark = pytest.mark.usefixtures("no_cluster")

GPU = {"nvidia.com/gpu": "1"}
TOKEN = {"serviceAccountToken": {"path": "token"}}
SIDE: dict[str, Any] = {
    "name": "side",
    "image": "lab/side:1",
    "ports": [{"containerPort": 9100, "hostPort": 9100, "hostIP": "10.0.0.1"}],
    "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}, {"name": "COLOUR", "value": "blue"}],
    "resources": {"limits": {"cpu": "1", **GPU}, "requests": GPU, "claims": [{"name": "card"}]},
    "livenessProbe": {"httpGet": {"host": "10.0.0.1", "port": 80}},
    "securityContext": {"privileged": True, "runAsUser": 1000},
    "volumeMounts": [
        {"name": "docker", "mountPath": "/docker"},
        {"name": "tokens", "mountPath": "/tokens"},
        {"name": "labpool-mine", "mountPath": "/mine"},
        {"name": "labpool-projects", "mountPath": "/projects/vision", "subPath": "speech"},
    ],
}
BEYOND: dict[str, Any] = {
    "volumes": [
        {"name": "docker", "hostPath": {"path": "/var/run/docker.sock"}},
        {"name": "nfs", "nfs": {"server": "10.0.0.1", "path": "/"}},
        {"name": "token", "projected": {"sources": [TOKEN]}},
        {"name": "tokens", "projected": {"sources": [TOKEN, {"configMap": {"name": "colours"}}]}},
        {"name": "everybody", "persistentVolumeClaim": {"claimName": "projects"}},
        {"name": "labpool-mine", "persistentVolumeClaim": {"claimName": "projects"}},
        {"name": "scratch", "emptyDir": {}},
    ],
    "volume_mounts": [
        *(
            {"name": name, "mountPath": f"/{name}"}
            for name in ("docker", "nfs", "token", "tokens", "everybody", "scratch")
        ),
        {"name": "labpool-logs", "mountPath": "/all-logs"},
    ],
    "extra_containers": [SIDE],
    "init_containers": [{"name": "before", "image": "lab/before:1", "resources": {"limits": GPU}}],
    "extra_pod_config": {
        "shareProcessNamespace": True,
        "hostNetwork": True,
        "nodeName": "control-plane",
        "resourceClaims": [{"name": "card", "resourceClaimTemplateName": "whole-card"}],
        "resources": {"limits": {"cpu": "99"}},
    },
    "extra_annotations": {"container.apparmor.security.beta.kubernetes.io/notebook": "unconfined"},
}
SAID = (
    "hostNetwork is left out",
    "shareProcessNamespace is",
    "nodeName is",
    "resourceClaims is",
    "resources of the whole pod is",
    "the volume docker (hostPath) is",
    "the volume nfs (nfs) is",
    "the token for the cluster's API in the volume token is",
    "the token for the cluster's API in the volume tokens is",
    "the volume everybody (all of the claim projects) is",
    "the volume labpool-mine (all of the claim projects) is",
    "/all-logs of the container notebook (of the volume labpool-logs) is",
    "/projects/vision of the container side (of the volume labpool-projects) is",
    "hostPort of the container side is",
    "the host in a probe of the container side is",
    "nvidia.com/gpu of the container side is",
    "nvidia.com/gpu of the container before is",
    "resource claims of the container side is",
    "privileged of the container side, as it is set, is",
)


def checked(pod: dict[str, Any], profile: str) -> None:
    hardened(pod)
    assert {"/docker", "/nfs", "/everybody", "/all-logs"}.isdisjoint(mounts_at(pod))
    assert {"/scratch", "/tokens"} <= mounts_at(pod)
    assert not any("apparmor" in name for name in pod["metadata"]["annotations"])
    assert notebook(pod)["resources"]["limits"] == RESOURCES[profile]
    (side,) = (each for each in pod["spec"]["containers"] if each["name"] == "side")
    assert {"name": "COLOUR", "value": "blue"} in side["env"]
    assert side["resources"]["limits"] == {"cpu": "1"}
    assert "host" not in side["livenessProbe"]["httpGet"]
    assert [each["name"] for each in side["volumeMounts"]] == ["tokens"]


def mounts_at(pod: dict[str, Any]) -> set[str]:
    return {mount["mountPath"] for mount in notebook(pod)["volumeMounts"]}


@pytest.mark.parametrize("profile", ["cpu", "whole"])
async def test_settings_that_break_the_rules_are_left_out_and_each_is_logged_once(
    tmp_path: Path, profile: str, caplog: pytest.LogCaptureFixture
):
    spawner = pod_spawner(tmp_path, **BEYOND)
    spawner.log.propagate = True
    checked(await manifest(spawner, profile), profile)
    lines = [record.getMessage() for record in caplog.records if "no researcher's pod has it" in record.getMessage()]
    assert len(lines) == len({*lines}) == len(SAID)
    for said in SAID:
        assert any(line.startswith(said) for line in lines), (said, lines)


async def test_ordinary_settings_of_a_lab_are_nothing_to_log(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    spawner = pod_spawner(tmp_path, image="lab/tf:1", extra_containers=[{"name": "side", "image": "lab/side:1"}])
    spawner.log.propagate = True
    await manifest(spawner, "whole")
    assert "left out" not in caplog.text


@pytest.fixture
async def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    cluster = FakeCluster()
    for kind in ("pods", "events"):
        monkeypatch.setitem(GPUKubeSpawner.reflectors, (kind, "lab"), cluster.seen)
    return cluster


async def made_by(cluster: FakeCluster, spawner: GPUKubeSpawner, profile: str) -> dict[str, Any]:
    """The pod as KubeSpawner sends it, once the admin's hook has had its way."""
    options = spawner.asking.parse({"project": "vision", "profile": profile, "hours": 1})
    cluster.spawner(spawner).plan(options, lease(profile))
    made = spawner.modify_pod_hook(spawner, await spawner.get_pod_manifest())
    assert await spawner._make_create_pod_request(made, 3)
    (pod,) = cluster.made
    return pod


def undo_all(spawner: GPUKubeSpawner, pod: Any) -> Any:
    """A hook that gives a pod all that it may not have, and what other labs' hooks do."""
    spec, server = pod.spec, pod.spec.containers[0]
    pod.metadata.labels["colour"] = "blue"
    pod.metadata.labels["kueue.x-k8s.io/queue-name"] = "gpu"
    pod.metadata.annotations |= BEYOND["extra_annotations"]
    pod.metadata.name = "mine"
    server.security_context = {"privileged": True, "runAsUser": 0}
    server.image = "lab/mine:1"
    server.resources = {"limits": {"nvidia.com/gpu": "8"}}
    server.env = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}, {"name": "LABPOOL_TICKET", "value": "forged"}]
    server.volume_mounts = [
        *server.volume_mounts,
        *BEYOND["volume_mounts"],
        {"name": "scratch", "mountPath": "/home/jovyan"},
    ]
    spec.containers = [SIDE, server]
    spec.volumes = [*spec.volumes, *BEYOND["volumes"]]
    spec.security_context = None
    spec.tolerations = [{"operator": "Exists"}]
    spec.affinity = spec.node_selector = None
    spec.node_name = "control-plane"
    spec.host_pid = spec.automount_service_account_token = spec.share_process_namespace = True
    return pod


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("settings", [{}, CHART], ids=["ours alone", "with the chart's settings"])
async def test_hook_can_undo_nothing(cluster: FakeCluster, tmp_path: Path, profile: str, settings: dict[str, Any]):
    settings = {**settings, "modify_pod_hook": undo_all, "extra_containers": [], "volumes": [], "volume_mounts": []}
    pod = await made_by(cluster, pod_spawner(tmp_path, **settings), profile)
    checked(pod, profile)
    untouched = await manifest(pod_spawner(tmp_path), profile)
    assert notebook(pod)["resources"] == notebook(untouched)["resources"]
    assert pod["spec"].get("affinity") == untouched["spec"].get("affinity")
    assert pod["spec"]["tolerations"] == untouched["spec"]["tolerations"]
    assert mounts(pod)["/home/jovyan"] == ("claim-ada", "", False)
    assert (pod["metadata"]["name"], pod["metadata"]["labels"]["colour"]) == ("jupyter-ada", "blue")
    assert "kueue.x-k8s.io/queue-name" not in pod["metadata"]["labels"]
    told, expected = environment(pod), environment(untouched)
    for name in ("LABPOOL_TICKET", "NVIDIA_VISIBLE_DEVICES", "LABPOOL_DEVICES", "HOME"):
        assert told.get(name, "forged") == expected.get(name, "forged")
    if profile == "whole":
        assert notebook(pod)["image"] == notebook(untouched)["image"]


async def test_hook_that_leaves_no_server_starts_nothing(cluster: FakeCluster, tmp_path: Path):
    def rename(spawner: GPUKubeSpawner, pod: Any) -> Any:
        pod.spec.containers[0].name = "mine"
        return pod

    with pytest.raises(NotStarted, match="without one container notebook"):
        await made_by(cluster, pod_spawner(tmp_path, modify_pod_hook=rename), "whole")
    assert cluster.made == []


async def test_admins_override_holds_also_after_a_hook(
    cluster: FakeCluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    spawner = pod_spawner(tmp_path, modify_pod_hook=lambda spawner, pod: pod)
    spawner.pod_overrides = {"shareProcessNamespace": True, "volumes": [{"name": "docker", "hostPath": {"path": "/d"}}]}
    spawner.log.propagate = True
    pod = await made_by(cluster, spawner, "cpu")
    assert pod["spec"]["shareProcessNamespace"] is True
    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["docker"]
    assert "left out" not in caplog.text
    assert caplog.text.count("pod_overrides replaces shareProcessNamespace, volumes of jupyter-ada") == 1
