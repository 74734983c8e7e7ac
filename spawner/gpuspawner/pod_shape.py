"""A plan laid over the pod that the hub's configuration makes: what the plan decides is never the configuration's."""

from __future__ import annotations

import json
from types import SimpleNamespace

from kubernetes_asyncio.client import ApiClient
from kubernetes_asyncio.client.models import (
    V1Container,
    V1EmptyDirVolumeSource,
    V1EnvVar,
    V1LocalObjectReference,
    V1PersistentVolumeClaimVolumeSource,
    V1Pod,
    V1PodSpec,
    V1ResourceRequirements,
    V1Volume,
    V1VolumeMount,
)

from gpuspawner.hub_errors import NotStarted
from gpuspawner.pod_fields import NOTEBOOK
from gpuspawner.pod_folders import Mount
from gpuspawner.pod_left_out import NO_CARD
from gpuspawner.pod_place import place
from gpuspawner.pod_plan import PodPlan

_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_COUNTED = {"kueue.x-k8s.io/podset-required-topology": "kubernetes.io/hostname"}


def as_models(pod: V1Pod, client: ApiClient) -> V1Pod:
    """The same pod, of models all the way down: much that comes from KubeSpawner's traits is plain dictionaries."""
    plain = client.sanitize_for_serialization(pod)
    answer = SimpleNamespace(data=json.dumps(plain))  # as the API's answer would be read, of which only this is used
    modelled: V1Pod = client.deserialize(answer, "V1Pod")  # type: ignore[arg-type]
    return modelled


def lay_over(pod: V1Pod, plan: PodPlan) -> None:
    """Change `pod` to what `plan` says.

    Raises:
        NotStarted: it has no container for the server.
    """
    spec, notebook = pod.spec, _server_first(pod.spec)
    pod.metadata.labels = {**_without_queue(pod.metadata.labels), **plan.labels}
    # with this mark Kueue takes the devices for those of the ticket's Workload, and doesn't count them twice
    counted = _COUNTED if plan.devices else {}
    pod.metadata.annotations = {**(pod.metadata.annotations or {}), **plan.annotations, **counted}
    # a server that ends is over: the hub and the pool settle what becomes of it, not the kubelet
    spec.restart_policy = "Never"
    spec.termination_grace_period_seconds = plan.grace
    if plan.image:
        notebook.image = plan.image
    named = {secret.name for secret in spec.image_pull_secrets or ()} | set(plan.pull_secrets)
    spec.image_pull_secrets = [V1LocalObjectReference(name=name) for name in sorted(named)]
    notebook.resources = _resources(plan)
    notebook.working_dir = plan.home
    notebook.env = _environment(notebook.env or [], plan)
    place(spec, plan)
    _mount(spec, notebook, plan.mounts)


def _server_first(spec: V1PodSpec) -> V1Container:
    of_server = [container for container in spec.containers if container.name == NOTEBOOK]
    if len(of_server) != 1:
        message = f"The lab's settings make a pod without one container {NOTEBOOK}. Tell a lab admin."
        raise NotStarted(503, "settings_broken", message)
    spec.containers = [*of_server, *(each for each in spec.containers if each.name != NOTEBOOK)]
    return of_server[0]


def _environment(given: list[V1EnvVar], plan: PodPlan) -> list[V1EnvVar]:
    """The plan's, then what else is given. Which cards a pod sees is said by its devices alone."""
    ours = [V1EnvVar(name=name, value=value) for name, value in plan.environment.items()]
    return [*ours, *(each for each in given if each.name not in plan.environment and each.name not in NO_CARD)]


def _without_queue(labels: dict[str, str] | None) -> dict[str, str]:
    # a pod with it would be held back by Kueue, which has admitted the ticket already
    return {name: value for name, value in (labels or {}).items() if name != _QUEUE_LABEL}


def _resources(plan: PodPlan) -> V1ResourceRequirements:
    amounts = {
        "cpu": f"{round(plan.cpu * 1000)}m",
        "memory": _mebibytes(plan.memory_gib),
        "ephemeral-storage": _mebibytes(plan.ephemeral_gib),
        **({plan.devices.resource: str(plan.devices.count)} if plan.devices else {}),
    }
    return V1ResourceRequirements(requests=dict(amounts), limits=amounts)


def _mebibytes(gib: float) -> str:
    return f"{max(round(gib * 1024), 1)}Mi"


def _mount(spec: V1PodSpec, notebook: V1Container, mounts: tuple[Mount, ...]) -> None:
    ours = {mount.path for mount in mounts}
    kept = [mount for mount in notebook.volume_mounts or () if mount.mount_path.rstrip("/") not in ours]
    notebook.volume_mounts = [*kept, *(_volume_mount(mount) for mount in mounts)]
    containers = (*spec.containers, *(spec.init_containers or ()))
    used = {mount.name for container in containers for mount in container.volume_mounts or ()}
    volumes = {mount.volume: _volume(mount) for mount in mounts}
    spec.volumes = [
        *(volume for volume in spec.volumes or () if volume.name in used and volume.name not in volumes),
        *volumes.values(),
    ]


def _volume_mount(mount: Mount) -> V1VolumeMount:
    return V1VolumeMount(
        name=mount.volume, mount_path=mount.path, sub_path=mount.sub_path or None, read_only=mount.read_only or None
    )


def _volume(mount: Mount) -> V1Volume:
    if mount.claim:
        claim = V1PersistentVolumeClaimVolumeSource(claim_name=mount.claim, read_only=mount.read_only or None)
        return V1Volume(name=mount.volume, persistent_volume_claim=claim)
    medium = "Memory" if mount.in_memory else None
    empty = V1EmptyDirVolumeSource(medium=medium, size_limit=_mebibytes(mount.size_gib))
    return V1Volume(name=mount.volume, empty_dir=empty)
