"""Pods of researchers on a real API server, in a namespace that takes only what Pod Security calls restricted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubernetes_asyncio
import kubespawner.spawner
import pytest
from gpuspawner.hub_errors import NotStarted
from gpuspawner.kubernetes import GPUKubeSpawner
from kubernetes_asyncio.client import CoreV1Api
from kubernetes_asyncio.client.rest import ApiException

from tests.gpuspawner.pods import PROFILES, lease, pod_spawner
from tests.gpuspawner.test_pod_bounds import CHART
from tests.gpuspawner.test_pod_left_out import BEYOND, undo_all
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.kube_lab import RESTRICTED
from tests.kubernetes.namespaces import make_namespace, why_refused
from tests.ports import free_ports
from tests.real_hub import REPOSITORY, wait_until

pytestmark = pytest.mark.kubernetes
_numbers = count(1)


@dataclass
class Lab:
    """A namespace for researchers' pods."""

    api: CoreV1Api
    namespace: str
    folder: Path

    def spawner(self, **settings: object) -> GPUKubeSpawner:
        server = [sys.executable, "-S", "-E", str(REPOSITORY / "tests/tiny_server.py")]
        spawner = pod_spawner(
            self.folder, **{"namespace": self.namespace, "cmd": server, "start_timeout": 40, **settings}
        )
        spawner.api = self.api
        (spawner.port,) = free_ports(1)
        return spawner

    async def dry_run(self, spawner: GPUKubeSpawner) -> Any:
        """What the API server makes of a spawner's pod, once the admin's hook has had its way."""
        pod, answers = await spawner.get_pod_manifest(), []
        create = self.api.create_namespaced_pod
        spawner.api = SimpleNamespace(api_client=self.api.api_client)

        async def only_try(namespace: str, made: object) -> None:
            answers.append(await create(namespace, made, dry_run="All"))

        spawner.api.create_namespaced_pod = only_try
        pod = spawner.modify_pod_hook(spawner, pod) if spawner.modify_pod_hook else pod
        assert await spawner._make_create_pod_request(pod, 10)
        return answers[0]

    async def claim(self, name: str) -> None:
        spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
        await self.api.create_namespaced_persistent_volume_claim(
            self.namespace, {"metadata": {"name": name}, "spec": spec}
        )


@pytest.fixture
async def lab(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    # KubeSpawner keeps the first cluster that a process has seen
    monkeypatch.setattr(kubespawner.spawner, "load_config", lambda **settings: None)
    await kubernetes_asyncio.config.load_kube_config(str(cluster.kubeconfig))
    async with kubernetes_asyncio.client.ApiClient() as client:
        api = CoreV1Api(client)
        namespace = f"lab-{next(_numbers)}"
        await asyncio.to_thread(make_namespace, cluster.api, namespace, RESTRICTED)
        yield Lab(api, namespace, tmp_path)
        await GPUKubeSpawner._stop_all_reflectors()
        await api.delete_namespace(namespace)


@pytest.mark.parametrize(
    "settings",
    [{}, CHART, BEYOND, CHART | {"modify_pod_hook": undo_all, "volumes": [], "volume_mounts": []}],
    ids=["ours alone", "with the chart's settings", "beyond the rules", "with a hook beyond the rules"],
)
async def test_restricted_namespace_takes_the_pod_and_home_of_every_profile(lab: Lab, settings: dict[str, Any]):
    if "service_account" in settings:
        await lab.api.create_namespaced_service_account(
            lab.namespace, {"metadata": {"name": settings["service_account"]}}
        )
    spawner = lab.spawner(**settings)
    for profile in PROFILES:
        spawner.plan(spawner.asking.parse({"project": "vision", "profile": profile, "hours": 1}), lease(profile))
        made = await lab.dry_run(spawner)
        assert made.spec.containers[0].resources.limits["memory"]
    home = spawner.get_pvc_manifest()
    await lab.api.create_namespaced_persistent_volume_claim(lab.namespace, home, dry_run="All")


async def test_namespace_really_is_restricted(lab: Lab):
    spawner = lab.spawner()
    spawner.pod_overrides = {"hostNetwork": True}
    spawner.plan(spawner.asking.parse({}), None)
    with pytest.raises(ApiException, match="violates PodSecurity"):
        await lab.api.create_namespaced_pod(lab.namespace, await spawner.get_pod_manifest(), dry_run="All")


async def test_cpu_server_starts_with_its_home_and_stops(lab: Lab):
    for name in ("projects", "datasets", "logs"):
        await lab.claim(name)
    spawner = lab.spawner()
    address = await spawner.start()
    assert address.endswith(f":{spawner.port}")
    assert await spawner.poll() is None
    for _ in range(600):  # events come when they come
        told = [step["message"] async for step in spawner.progress()]
        if "A machine was found." in told:
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail(f"nothing was said of the machine, only {told}")
    home = await lab.api.read_namespaced_persistent_volume_claim("claim-ada", lab.namespace)
    assert home.spec.access_modes == ["ReadWriteMany"]
    restarted = lab.spawner()
    restarted.load_state(spawner.get_state())
    assert await restarted.poll() is None
    await restarted.stop()
    assert await restarted.poll() == 1


async def test_watches_that_gave_up_are_begun_anew_before_a_look_and_a_start(lab: Lab):
    for name in ("projects", "datasets", "logs"):
        await lab.claim(name)
    spawner = lab.spawner()
    assert await spawner.poll() == 1
    await give_up()
    await spawner.start()
    await give_up()
    await lab.api.delete_namespaced_pod("jupyter-ada", lab.namespace, grace_period_seconds=0)
    assert await spawner.poll() == 1


async def give_up() -> None:
    """What happens to the watches on pods and events when the API server was away for 51 s."""
    for watch in GPUKubeSpawner.reflectors.values():
        watch.watch_task.cancel()
        await asyncio.wait([watch.watch_task])


async def test_failed_start_leaves_nothing_of_its_pod(lab: Lab):
    for name in ("projects", "datasets", "logs"):
        await lab.claim(name)
    for trouble in (
        {"cmd": ["no-such-program"]},
        {"image_pull_policy": "Sometimes"},
        {"node_selector": {"no": "such"}},
    ):
        with pytest.raises(NotStarted):
            await lab.spawner(start_timeout=8, **trouble).start()
        assert (await lab.api.list_namespaced_pod(lab.namespace)).items == []


async def test_what_an_earlier_hub_left_is_taken_away_and_not_held_against_the_next_start(lab: Lab):
    for name in ("projects", "datasets", "logs"):
        await lab.claim(name)
    earlier = lab.spawner(cmd=["no-such-program"])
    earlier.plan(earlier.asking.parse({}), None)
    left = await lab.api.create_namespaced_pod(lab.namespace, await earlier.get_pod_manifest())
    await lab.spawner().start()
    assert (await lab.api.read_namespaced_pod("jupyter-ada", lab.namespace)).metadata.uid != left.metadata.uid


async def test_start_that_is_broken_off_leaves_nothing_once_it_is_stopped(lab: Lab):
    for name in ("projects", "datasets", "logs"):
        await lab.claim(name)
    for seconds in (0.05, 0.1, 0.2, 0.4, 2.0):  # before, while and after its pod is made
        spawner = lab.spawner(node_selector={"no": "such"})
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(spawner.start(), seconds)
        if await spawner.poll() is None:  # as the hub does
            await spawner.stop()
        assert (await lab.api.list_namespaced_pod(lab.namespace)).items == []
        assert await spawner.poll() == 1


async def test_start_without_storage_says_so_in_time(lab: Lab):
    spawner = lab.spawner(start_timeout=15)  # in which the scheduler has to say so
    with pytest.raises(NotStarted) as caught:
        await spawner.start()
    assert "no storage yet" in caught.value.jupyterhub_message


async def test_full_quota_is_told_in_words(lab: Lab, cluster: Cluster):
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"limits.memory": "1Gi"}}}
    await lab.api.create_namespaced_resource_quota(lab.namespace, quota)
    in_force = partial(why_refused, cluster.api, lab.namespace)  # also of what names no memory
    await asyncio.to_thread(wait_until, lambda: "few" in in_force(), "the quota in force")
    with pytest.raises(NotStarted, match="quota leaves no room") as caught:
        await lab.spawner().start()
    assert caught.value.headers["Labpool-Reason"] == "cluster_refused"
