"""Five people and four GPUs: each asks again as soon as a server is over, so somebody always waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from labpool.api_models import ServerAsked, TicketView
from labpool.client import SyncPoolClient
from labpool.domain.tickets import HOLDING

from tests.kubernetes.fake_nodes import A100, FLAVOUR_LABEL
from tests.kubernetes.kube_lab import pool_yaml_of
from tests.real_hub import wait_until
from tests.running_lab import RunningLab

GPUS = 4
PEOPLE = ("anna", "boris", "chen", "dora", "emil")
PATIENCE_SECONDS = 150
"""As long as anybody may wait for the end of a ticket: many times what all others ask for."""
LOOKS_SECONDS = 0.3
"""Between two looks: on a fast machine more would be more than the pool lets one person ask a minute."""


@dataclass
class Crowd:
    """What became of all that was asked for.

    Args:
        lab: Where they are.
        seconds: The least and the most that one asks for.
    """

    lab: RunningLab
    seconds: tuple[float, float]
    ended: list[TicketView] = field(default_factory=list)
    started: set[str] = field(default_factory=set)
    most_leased: int = 0

    def person(self, user: str, goes_on: Callable[[], bool]) -> None:
        """Ask, wait for the end, and ask again."""
        random = Random(user)
        with SyncPoolClient(self.lab.ports.pool_url, self.lab.token_for(user), timeout=30) as client:
            while goes_on():
                hours = random.uniform(*self.seconds) / 3600
                asked = ServerAsked(name="", project="vision", profile="gpu-1", hours=hours)
                ticket = client.ask(asked)
                wait_until(partial(self._over, client, ticket.id), f"the end of {user}'s turn", PATIENCE_SECONDS)
                self.ended.append(client.ticket(ticket.id))

    def _over(self, client: SyncPoolClient, ticket: str) -> bool:
        time.sleep(LOOKS_SECONDS)
        seen = client.ticket(ticket)
        if seen.server_ready:
            self.started.add(ticket)
        return seen.state == "ended"

    def watch(self, goes_on: Callable[[], bool]) -> None:
        """How many GPUs are leased at most."""
        with SyncPoolClient(self.lab.ports.pool_url, self.lab.token_for("admin"), timeout=30) as admin:
            while goes_on() or self.leased(admin):
                self.most_leased = max(self.most_leased, self.leased(admin))
                time.sleep(LOOKS_SECONDS)

    def leased(self, admin: SyncPoolClient) -> int:
        """So many GPUs are leased at this moment."""
        return sum(ticket.gpus for ticket in admin.tickets([state.value for state in HOLDING]).tickets)


def pool_yaml(engine: str, namespace: str) -> str:
    """A project of four GPUs, whose members may have servers without any too."""
    beside = {"cpu": 1, "memory_gib": 1, "max_hours": 8}
    return pool_yaml_of(
        engine,
        namespace,
        flavours={"a100": {"title": "A100", "gpu_memory_gib": 80, "node_labels": {FLAVOUR_LABEL: A100}}},
        limits={"user": {"gpus": 1, "servers": 2, "queued": 3}},
        profiles={
            "cpu": {"title": "CPU only", **beside},
            "gpu-1": {"title": "One GPU", "flavour": "a100", "gpus": 1, **beside},
        },
        projects={
            "vision": {
                "title": "Vision group",
                "members": {"everyone": True},
                "nominal": {"a100": GPUS},
                "profiles": ["cpu", "gpu-1"],
            }
        },
        queue={
            "shortest_minutes": 0.001,
            "restart_minutes": 0.1,
            "turnover_minutes": 0,
            "end_grace_minutes": 0.02,
            "reconcile_seconds": 0.5,
        },
    )
