"""What a server is told about its start: project, preset, devices, and where to write logs. All by environment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from labpool.api_models import LeaseToApply
from labpool.settings import Profile

from gpuspawner.folders import UserFolders
from gpuspawner.options import ServerOptions


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What does not depend on the options: the pool and the folders."""

    pool_url: str
    pool_id: str
    folders: UserFolders


def server_environment(
    options: ServerOptions, profile: Profile | None, lease: LeaseToApply | None, around: Surroundings
) -> dict[str, str]:
    """Variables of one start, wherever the server runs.

    What TensorFlow is to do comes with the lease, since the pool also makes profiles for cards that pool.yaml doesn't
    name; a CPU profile is in pool.yaml always.
    """
    chosen = lease or profile
    return {
        "LABPOOL_PROJECT": options.project,
        "LABPOOL_PROFILE": options.profile,
        "LABPOOL_HOURS": repr(options.hours),
        "LABPOOL_PRESET": chosen.preset if chosen else "cpu",
        "LABPOOL_PRECISION": chosen.precision if chosen else "auto",
        "LABPOOL_XLA": chosen.xla if chosen else "auto",
        "LABPOOL_LOGS": str(around.folders.logs),
        "LABPOOL_RUNTIME": str(around.folders.runtime),
        "LABPOOL_POOL_URL": around.pool_url,
        "LABPOOL_POOL": around.pool_id,
    } | _devices(lease)


def visible_cards(lease: LeaseToApply | None) -> dict[str, str]:
    """Which of this machine's cards a process sees. Without a lease none: a CPU server must not use somebody else's."""
    devices = lease.devices if lease else ()
    return {"CUDA_VISIBLE_DEVICES": ",".join(device.id for device in devices if not device.simulated)}


def _devices(lease: LeaseToApply | None) -> dict[str, str]:
    if lease is None:
        return {"LABPOOL_DEVICES": "[]"}
    shown = [device.model_dump(include={"id", "flavour", "simulated", "memory_gib"}) for device in lease.devices]
    return {
        "LABPOOL_DEVICES": json.dumps(shown),
        "LABPOOL_TICKET": lease.ticket,
        "LABPOOL_TICKET_TOKEN": lease.ticket_token,
        "LABPOOL_GRANTED_AT": lease.starts.isoformat(),
    }


def server_process_environment(pid: int, user: str, name: str) -> dict[str, str]:
    """What a user's running server was told at its start; empty where `pid` is gone or another process by now.

    This is how a restarted hub knows the lease of a server that runs on: nothing about leases is in the hub's database.
    (Linux, proc(5).)
    """
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    pairs = (entry.partition("=") for entry in raw.decode(errors="replace").split("\0"))
    told = {variable: value for variable, sign, value in pairs if sign}
    owner = (told.get("JUPYTERHUB_USER"), told.get("JUPYTERHUB_SERVER_NAME"))
    return told if owner == (user, name) else {}
