"""Waiting for a pod that ends: as long as it may take for its last checkpoint, and a while for what comes after."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from jupyterhub.utils import exponential_backoff

_ANSWER_SECONDS = 30.0
_MARGIN_SECONDS = 30.0


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
