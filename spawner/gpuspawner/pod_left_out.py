"""What no researcher's pod has, whoever put it into the configuration: parts of the node, tokens, devices unleased."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from kubernetes_asyncio.client.models import (
    V1Container,
    V1ContainerPort,
    V1EnvVar,
    V1Pod,
    V1PodSpec,
    V1ResourceRequirements,
    V1Volume,
)

from gpuspawner.pod_fields import NOTEBOOK
from gpuspawner.pod_folders import Mount

Note = Callable[[str], None]

NO_CARD = {"CUDA_VISIBLE_DEVICES": "", "NVIDIA_VISIBLE_DEVICES": "void"}
"""What a container without devices is told, so that it sees no card even if its image asks for all."""
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_KINDS_OF_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_OF_POD: tuple[tuple[str, str, bool | None], ...] = (
    ("host_network", "hostNetwork", False),
    ("host_pid", "hostPID", False),
    ("host_ipc", "hostIPC", False),
    ("share_process_namespace", "shareProcessNamespace", False),
    ("automount_service_account_token", "automountServiceAccountToken", False),
    ("node_name", "nodeName", None),  # it would go past the scheduler, and past taints
    ("resource_claims", "resourceClaims", None),
    ("resources", "resources of the whole pod", None),
)
_TOKENS = ("service_account_token", "pod_certificate")


def leave_out(pod: V1Pod, mounts: Sequence[Mount], note: Note) -> None:
    """Take out of `pod` what would reach beyond its server.

    Args:
        pod: Is changed.
        mounts: The server's folders. Of a claim of which it has a part, nothing else of the pod has more.
        note: Is told each thing that is left out.
    """
    spec, annotations = pod.spec, pod.metadata.annotations or {}
    pod.metadata.annotations = {name: value for name, value in annotations.items() if not name.startswith(_APPARMOR)}
    for field, name, instead in _OF_POD:
        if getattr(spec, field):
            note(name)
        setattr(spec, field, instead)
    _leave_out_parts(spec, [mount for mount in mounts if mount.sub_path], note)
    _leave_out_volumes(spec, mounts, note)
    for container in containers_of(spec):
        _leave_out_host(container, note)
        if container.name != NOTEBOOK:
            _leave_out_devices(container, note)


def containers_of(spec: V1PodSpec) -> list[V1Container]:
    """All containers of a pod, those that run before the server included."""
    return [*spec.containers, *(spec.init_containers or ())]


def _leave_out_parts(spec: V1PodSpec, parts: Collection[Mount], note: Note) -> None:
    """Of the volumes of projects, datasets and logs the server alone has something, and that at its place."""
    ours = {(NOTEBOOK, each.path, each.sub_path) for each in parts}
    volumes = {each.volume for each in parts}
    for container in containers_of(spec):
        kept = []
        for mount in container.volume_mounts or ():
            if mount.name in volumes and (container.name, mount.mount_path, mount.sub_path) not in ours:
                note(f"{mount.mount_path} of the container {container.name} (of the volume {mount.name})")
            else:
                kept.append(mount)
        container.volume_mounts = kept


def _leave_out_volumes(spec: V1PodSpec, mounts: Collection[Mount], note: Note) -> None:
    mounted = {mount.name for container in containers_of(spec) for mount in container.volume_mounts or ()}
    gone = set()
    for volume in spec.volumes or ():
        _leave_out_tokens(volume, note)
        reason = _beyond(volume, mounts)
        if reason:
            gone.add(volume.name)
            if volume.name in mounted:
                note(f"the volume {volume.name} ({reason})")
    spec.volumes = [volume for volume in spec.volumes or () if volume.name not in gone]
    for container in containers_of(spec):
        container.volume_mounts = [each for each in container.volume_mounts or () if each.name not in gone]
        container.volume_devices = [each for each in container.volume_devices or () if each.name not in gone]


def _beyond(volume: V1Volume, mounts: Collection[Mount]) -> str:
    """Why a volume is none for a researcher's pod; "" where it is one."""
    fields: Mapping[str, str] = volume.attribute_map  # type: ignore[attr-defined]  # which the stubs don't name
    for kind, name in fields.items():
        if getattr(volume, kind) is not None and name not in {"name", *_KINDS_OF_VOLUMES}:
            return name
    claim = volume.persistent_volume_claim
    in_parts = {mount.claim for mount in mounts if mount.sub_path}
    if claim and claim.claim_name in in_parts and volume.name not in {mount.volume for mount in mounts}:
        return f"all of the claim {claim.claim_name}"
    return ""


def _leave_out_tokens(volume: V1Volume, note: Note) -> None:
    if volume.projected:
        sources = volume.projected.sources or []
        kept = [source for source in sources if not any(getattr(source, token) for token in _TOKENS)]
        if len(kept) < len(sources):
            note(f"the token for the cluster's API in the volume {volume.name}")
        volume.projected.sources = kept


def _leave_out_host(container: V1Container, note: Note) -> None:
    for port in container.ports or ():
        if port.host_port or port.host_ip:
            note(f"hostPort of the container {container.name}")
    container.ports = [_on_pod_alone(port) for port in container.ports or ()]
    for check in _checks(container):
        if check.host:
            note(f"the host in a probe of the container {container.name}")
        check.host = None


def _on_pod_alone(port: V1ContainerPort) -> V1ContainerPort:
    return V1ContainerPort(container_port=port.container_port, name=port.name, protocol=port.protocol)


def _checks(container: V1Container) -> Iterator[Any]:
    hooks = container.lifecycle
    handlers = (
        container.liveness_probe,
        container.readiness_probe,
        container.startup_probe,
        *((hooks.post_start, hooks.pre_stop) if hooks else ()),
    )
    for handler in handlers:
        for check in (handler.http_get, handler.tcp_socket) if handler else ():
            if check:
                yield check


def _leave_out_devices(container: V1Container, note: Note) -> None:
    """Devices are the lease's, and the server's alone; an extended resource is one whose name has a slash."""
    resources = container.resources
    if resources:
        amounts = (resources.limits or {}, resources.requests or {})
        for device in sorted({name for each in amounts for name in each if "/" in name}):
            note(f"{device} of the container {container.name}")
        if resources.claims:
            note(f"resource claims of the container {container.name}")
        kept = [{name: amount for name, amount in each.items() if "/" not in name} for each in amounts]
        container.resources = V1ResourceRequirements(limits=kept[0], requests=kept[1])
    others = [variable for variable in container.env or () if variable.name not in NO_CARD]
    container.env = [*others, *(V1EnvVar(name=name, value=value) for name, value in NO_CARD.items())]
