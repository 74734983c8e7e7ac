"""What keeps a researcher's pod within its bounds, whatever the hub's configuration says.

It is what Pod Security calls `restricted`, and no access to the cluster's API.
"""

from __future__ import annotations

from logging import Logger

from kubernetes_asyncio.client.models import (
    V1Capabilities,
    V1Container,
    V1Pod,
    V1PodSecurityContext,
    V1SeccompProfile,
    V1SecurityContext,
)

_UID, _GID = 1000, 100


def isolate(pod: V1Pod, log: Logger) -> None:
    """Take from `pod` every right that no researcher's server has.

    User and group stay those of the configuration unless they are root's. Containers that run before the server and
    need rights of their own, such as the chart's block of the metadata address, are left out, and `log` says so.
    """
    spec = pod.spec
    spec.host_network = spec.host_pid = spec.host_ipc = False
    spec.automount_service_account_token, spec.enable_service_links = False, False
    spec.init_containers = [each for each in spec.init_containers or () if not _is_left_out(each, log)]
    notebook = spec.containers[0].security_context or V1SecurityContext()
    of_pod = spec.security_context or V1PodSecurityContext()
    user, group = _not_root(notebook.run_as_user, _UID), _not_root(notebook.run_as_group, _GID)
    spec.security_context = V1PodSecurityContext(
        run_as_non_root=True,
        run_as_user=user,
        run_as_group=group,
        fs_group=_not_root(of_pod.fs_group, _GID),
        fs_group_change_policy="OnRootMismatch",
        supplemental_groups=[each for each in of_pod.supplemental_groups or () if each > 0],
        seccomp_profile=V1SeccompProfile(type="RuntimeDefault"),
    )
    for container in (*spec.containers, *spec.init_containers):
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


def _is_left_out(container: V1Container, log: Logger) -> bool:
    given = container.security_context or V1SecurityContext()
    adds = given.capabilities.add if given.capabilities else None
    if given.privileged or adds or given.run_as_user == 0:
        log.warning(
            "the container %s, which is to run before the server, needs rights that no pod of a researcher has, and is "
            "left out; let network policies do its work, and take it out of the configuration",
            container.name,
        )
        return True
    return False


def _not_root(number: int | None, instead: int) -> int:
    return number if number and number > 0 else instead
