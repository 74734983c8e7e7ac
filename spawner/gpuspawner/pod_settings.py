"""No pod is made from guesses: the hub's pool.yaml has to name what the pool's named when it gave the lease."""

from __future__ import annotations

from labpool.api_models import LeaseToApply
from labpool.settings import ClusterSettings

from gpuspawner.hub_errors import NotStarted
from gpuspawner.options import ServerOptions, quoted


def check_named(options: ServerOptions, lease: LeaseToApply | None, cluster: ClusterSettings) -> None:
    """Refuse a start of which pool.yaml doesn't say what its pod gets; the lease stays.

    Raises:
        NotStarted: pool.yaml doesn't name the profile, or a flavour of the lease's devices.
    """
    profiles = {options.profile, *([lease.profile] if lease else ())}
    flavours = {device.flavour for device in lease.devices} if lease else set()
    missing = [
        *(f"profile {quoted(name)}" for name in sorted(profiles - cluster.profiles.keys())),
        *(f"flavour {quoted(name)}" for name in sorted(flavours - cluster.flavours.keys())),
    ]
    if missing:
        message = (
            f"The hub's pool.yaml does not name the {' and the '.join(missing)}, which the pool gave out, so nothing "
            "was started. Both need the same pool.yaml. Your GPUs stay leased: try again in a minute, and tell a lab "
            "admin if it stays so."
        )
        raise NotStarted(503, "settings_differ", message, {"Retry-After": "60"})
