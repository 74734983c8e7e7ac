"""The settings that every spawner of the pool has, each said once. A spawner's class takes them all."""

from __future__ import annotations

from traitlets import Float, Unicode


def pool_url() -> Unicode[str, str | bytes]:
    """Where the pool is."""
    return Unicode(
        "http://127.0.0.1:8100/services/pool",
        help="Address of the pool service, without a trailing slash. Default: the one that `labpool run` starts.",
    ).tag(config=True)


def pool_token() -> Unicode[str, str | bytes]:
    """How the pool knows the spawner."""
    return Unicode("", help="The spawner's secret, known to the pool too. No default.").tag(config=True)


def pool_id() -> Unicode[str, str | bytes]:
    """Which pool it is."""
    return Unicode("", help="Which pool this is, so that two on one machine or cluster don't mix. No default.").tag(
        config=True
    )


def pool_timeout() -> Float[float, float]:
    """How long to wait for the pool."""
    return Float(
        10.0,
        min=0.5,
        max=60.0,
        help="Longest wait for the pool's answer in seconds, 0.5 to 60. Past it a GPU profile is refused; CPU profiles "
        "don't ask.",
    ).tag(config=True)


def pool_file() -> Unicode[str, str | bytes]:
    """Where the lab's decisions are."""
    return Unicode("pool.yaml", help="Path of pool.yaml; read again when it changes.").tag(config=True)


def pool_service() -> Unicode[str, str | bytes]:
    """Who starts what was granted."""
    return Unicode(
        "pool",
        help="Name of the pool's service at the hub. What it starts was granted, and is not counted.",
    ).tag(config=True)


def default_profile() -> Unicode[str, str | bytes]:
    """What starts when nothing was chosen."""
    return Unicode("cpu", help="CPU profile that starts, in the user's first project, when nothing was chosen.").tag(
        config=True
    )
