"""The end of a pod: how it ended, and waiting for one that does.

That takes as long as its last checkpoint may take, and a while for what comes after.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from jupyterhub.utils import exponential_backoff

from gpuspawner.pod_fields import has_ended, mapping, notebook_end

_ANSWER_SECONDS = 30.0
_MARGIN_SECONDS = 30.0


def exit_code(pod: Mapping[str, object]) -> int | None:
    """How a pod's server ended, whatever else of the pod runs on; None while it has not. 1 where nobody knows."""
    if not has_ended(pod):
        return None
    code = mapping(notebook_end(pod)).get("exitCode")
    return code if isinstance(code, int) else 1


async def until_gone(delete: Callable[[], Awaitable[bool]], is_gone: Callable[[], bool], name: str, grace: int) -> None:
    """Delete a pod, and return once it is gone. `grace` is what it has from SIGTERM to SIGKILL, in seconds.

    KubeSpawner itself waits no longer than a start may take, which a checkpoint can outlast.

    Args:
        delete: Asks for it; False where there was no answer in time, so that it has to be asked again.
        is_gone: Whether the cluster has it no more.
        name: The pod's.
        grace: See above.

    Raises:
        TimeoutError: it was not gone in time.
    """
    await exponential_backoff(delete, f"The cluster did not take the deletion of pod {name}.", timeout=_ANSWER_SECONDS)
    longest = grace + _MARGIN_SECONDS
    late = f"The pod {name} is not gone {longest:g} s after its deletion. Look at it with kubectl describe pod {name}."
    await exponential_backoff(is_gone, late, timeout=longest, timeout_tolerance=0)
