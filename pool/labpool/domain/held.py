"""What live leases hold, counted, and where something came free."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from labpool.domain.leases import Lease
from labpool.domain.needs import Key
from labpool.domain.usage import Usage, booked_hours
from labpool.domain.world import World


@dataclass(slots=True)
class Stirred:
    """Where something came free: nodes by flavour, and the users and projects that hold less than before."""

    nodes: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    users: set[str] = field(default_factory=set)
    projects: set[str] = field(default_factory=set)


class Held:
    """How much live leases hold `of` each server, user and project, and the GPU-hours set aside for them."""

    def __init__(self, world: World) -> None:
        self._rules = world.catalogue
        self.of: Counter[Key] = Counter()
        self.set_aside: defaultdict[str, float] = defaultdict(float)
        for lease in world.counted:
            self.take(lease)

    def take(self, lease: Lease) -> None:
        """Count a lease."""
        self._count(lease, 1)

    def leave(self, lease: Lease) -> None:
        """Count a lease no more."""
        self._count(lease, -1)

    def use_for_weight(self, project: str, usage: Usage, now: datetime) -> float:
        """GPU-hours of a project, what earlier runs still count for and all that is set aside, over its weight."""
        return (usage.of(project, now) + self.set_aside[project]) / self._rules.weight_of(project)

    def _count(self, lease: Lease, sign: int) -> None:
        devices = len(lease.devices)
        self.of["server", lease.user, lease.name] += sign
        self.of["user", lease.user] += sign * devices
        self.of["project", lease.project, lease.flavour] += sign * devices
        hours = booked_hours(devices, lease.charge, lease.ends - lease.starts)
        self.set_aside[lease.project] += sign * hours
