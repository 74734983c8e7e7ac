"""What keeps a researcher's pod within its bounds, whatever the hub's configuration and its hooks say.

It is what Pod Security calls `restricted`, no access to the cluster's API, and no device that isn't leased.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubernetes_asyncio.client.models import (
    V1Capabilities,
    V1Container,
    V1Pod,
    V1PodSecurityContext,
    V1SeccompProfile,
    V1SecurityContext,
)

from gpuspawner.pod_folders import Mount
from gpuspawner.pod_left_out import Note, containers_of, leave_out

_UID, _GID = 1000, 100


def isolate(pod: V1Pod, mounts: Sequence[Mount], note: Note) -> None:
    """Take from `pod` every right that no researcher's server has, and tell `note` of each that it had.

    User and group stay those of the configuration unless they are root's. Containers that run before the server and
    need rights of their own, such as the chart's block of the metadata address, are left out. `mounts` are the
    server's folders.
    """
    spec = pod.spec
    spec.enable_service_links = False
    spec.init_containers = [each for each in spec.init_containers or () if not _is_left_out(each, note)]
    leave_out(pod, mounts, note)
    notebook = spec.containers[0].security_context or V1SecurityContext()
    given = spec.security_context or V1PodSecurityContext()
    user, group = _not_root(notebook.run_as_user, _UID), _not_root(notebook.run_as_group, _GID)
    spec.security_context = V1PodSecurityContext(
        run_as_non_root=True,
        run_as_user=user,
        run_as_group=group,
        fs_group=_not_root(given.fs_group, _GID),
        fs_group_change_policy="OnRootMismatch",
        supplemental_groups=[each for each in given.supplemental_groups or () if each > 0],
        seccomp_profile=V1SeccompProfile(type="RuntimeDefault"),
    )
    _note_changes("the pod", given, spec.security_context, note)
    for container in containers_of(spec):
        _bound(container, user, group, note)


def _bound(container: V1Container, user: int, group: int, note: Note) -> None:
    given = container.security_context or V1SecurityContext()
    container.security_context = V1SecurityContext(
        run_as_non_root=True,
        run_as_user=user,
        run_as_group=group,
        allow_privilege_escalation=False,
        privileged=False,
        capabilities=V1Capabilities(drop=["ALL"]),
        read_only_root_filesystem=bool(given.read_only_root_filesystem),
        seccomp_profile=V1SeccompProfile(type="RuntimeDefault"),
    )
    _note_changes(f"the container {container.name}", given, container.security_context, note)


def _note_changes(whose: str, given: Any, bounded: Any, note: Note) -> None:
    for field, name in given.attribute_map.items():
        wanted = getattr(given, field)
        if wanted is not None and wanted != getattr(bounded, field):
            note(f"{name} of {whose}, as it is set,")


def _is_left_out(container: V1Container, note: Note) -> bool:
    given = container.security_context or V1SecurityContext()
    adds = given.capabilities.add if given.capabilities else None
    if given.privileged or adds or given.run_as_user == 0:
        note(f"the container {container.name}, which needs rights before the server starts,")
        return True
    return False


def _not_root(number: int | None, instead: int) -> int:
    return number if number and number > 0 else instead
