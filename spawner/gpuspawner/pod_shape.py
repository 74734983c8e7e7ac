"""A plan laid over the pod that the hub's configuration makes: what the plan decides is never the configuration's."""

from __future__ import annotations

import json
from types import SimpleNamespace

from kubernetes_asyncio.client import ApiClient
from kubernetes_asyncio.client.models import (
    V1Affinity,
    V1Container,
    V1EmptyDirVolumeSource,
    V1LocalObjectReference,
    V1NodeAffinity,
    V1NodeSelector,
    V1NodeSelectorRequirement,
    V1NodeSelectorTerm,
    V1PersistentVolumeClaimVolumeSource,
    V1Pod,
    V1PodSpec,
    V1ResourceRequirements,
    V1Toleration,
    V1Volume,
    V1VolumeMount,
)

from gpuspawner.pod_folders import Mount
from gpuspawner.pod_plan import Devices, PodPlan

_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_COUNTED = {"kueue.x-k8s.io/podset-required-topology": "kubernetes.io/hostname"}


def as_models(pod: V1Pod, client: ApiClient) -> V1Pod:
    """The same pod, of models all the way down: much that comes from KubeSpawner's traits is plain dictionaries."""
    plain = client.sanitize_for_serialization(pod)
    answer = SimpleNamespace(data=json.dumps(plain))  # as the API's answer would be read, of which only this is used
    modelled: V1Pod = client.deserialize(answer, "V1Pod")  # type: ignore[arg-type]
    return modelled


def lay_over(pod: V1Pod, plan: PodPlan) -> None:
    """Change `pod` to what `plan` says."""
    spec, notebook = pod.spec, pod.spec.containers[0]
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
    _place(spec, plan)
    _mount(spec, notebook, plan.mounts)


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


def _place(spec: V1PodSpec, plan: PodPlan) -> None:
    kept = [
        toleration
        for toleration in spec.tolerations or ()
        if toleration.key and toleration.key not in plan.device_taints  # one without a key tolerates everything
    ]
    own = plan.devices.tolerations if plan.devices else ()
    spec.tolerations = [
        *kept,
        *(
            V1Toleration(
                key=each.key,
                operator="Equal" if each.value else "Exists",
                value=each.value or None,
                effect=each.effect or None,
            )
            for each in own
        ),
    ]
    if plan.devices:
        # a new one: the configured dictionary is shared by all starts
        spec.node_selector = {**(spec.node_selector or {}), **plan.devices.node_labels}
        _pin(spec, plan.devices)


def _pin(spec: V1PodSpec, devices: Devices) -> None:
    """Let it run on the lease's node only. Of several terms one has to hold, so each is bound to the node."""
    here = V1NodeSelectorRequirement(key="metadata.name", operator="In", values=[devices.node])
    spec.affinity = spec.affinity or V1Affinity()
    of_node = spec.affinity.node_affinity = spec.affinity.node_affinity or V1NodeAffinity()
    required = of_node.required_during_scheduling_ignored_during_execution
    terms = list(required.node_selector_terms) if required else [V1NodeSelectorTerm()]
    for term in terms:
        term.match_fields = [here]
    of_node.required_during_scheduling_ignored_during_execution = V1NodeSelector(node_selector_terms=terms)


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
