"""What the spawner makes a server of: a ticket, its lease and its profile in one."""

from __future__ import annotations

from labpool.api_models import LeasedDevice, LeaseToApply
from labpool.domain.catalogue import Profile
from labpool.domain.leases import Lease
from labpool.domain.tickets import Ticket


def to_apply(
    ticket: Ticket, lease: Lease, profile: Profile, devices: tuple[LeasedDevice, ...], token: str
) -> LeaseToApply:
    """A ticket's lease as the spawner is told it; `token` is what the server speaks to the pool with."""
    return LeaseToApply(
        ticket=ticket.id,
        ticket_token=token,
        project=ticket.project,
        profile=ticket.profile,
        preset=profile.preset,
        precision=profile.precision,
        xla=profile.xla,
        cpu=profile.cpu,
        memory_gib=profile.memory_gib,
        devices=devices,
        starts=lease.starts,
        ends=lease.ends,
    )
