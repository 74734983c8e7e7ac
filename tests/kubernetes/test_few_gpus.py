"""Five people, each asking again as soon as a server is over, and four GPUs: all get their turns, and nothing hangs."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import pytest
from labpool.api_models import ServerAsked, TicketView
from labpool.client import SyncPoolClient
from labpool.domain.tickets import HOLDING

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.engine_labs import lab_that_leaves_nothing
from tests.kubernetes.fake_nodes import A100, FLAVOUR_LABEL
from tests.real_hub import wait_until
from tests.running_lab import RunningLab

pytestmark = [pytest.mark.kubernetes, pytest.mark.hub]

GPUS = 4
PEOPLE = ("anna", "boris", "chen", "dora", "emil")
PATIENCE_SECONDS = 150
"""As long as anybody may wait for the end of a ticket: many times what all others ask for."""


@dataclass
class Crowd:
    """What became of all that was asked for."""

    lab: RunningLab
    seconds: tuple[float, float]
    ended: list[TicketView] = field(default_factory=list)
    started: set[str] = field(default_factory=set)
    most_leased: int = 0

    def person(self, user: str, until: float, enough: int) -> None:
        """Ask, wait for the end, and ask again."""
        random = Random(user)
        with SyncPoolClient(self.lab.ports.pool_url, self.lab.token_for(user), timeout=30) as client:
            while time.monotonic() < until or len(self.ended) < enough:
                hours = random.uniform(*self.seconds) / 3600
                asked = ServerAsked(name="", project="vision", profile="gpu-1", hours=hours)
                ticket = client.ask(asked)
                wait_until(partial(self._over, client, ticket.id), f"the end of {user}'s turn", PATIENCE_SECONDS)
                self.ended.append(client.ticket(ticket.id))

    def _over(self, client: SyncPoolClient, ticket: str) -> bool:
        seen = client.ticket(ticket)
        if seen.server_ready:
            self.started.add(ticket)
        return seen.state == "ended"

    def watch(self, until: float) -> None:
        """How many GPUs are leased at most."""
        with SyncPoolClient(self.lab.ports.pool_url, self.lab.token_for("admin"), timeout=30) as admin:
            while time.monotonic() < until or self.leased(admin):
                self.most_leased = max(self.most_leased, self.leased(admin))
                time.sleep(0.3)

    def leased(self, admin: SyncPoolClient) -> int:
        """So many GPUs are leased at this moment."""
        return sum(ticket.gpus for ticket in admin.tickets([state.value for state in HOLDING]).tickets)


def pool_yaml(engine: str, namespace: str) -> str:
    """A project of four GPUs."""
    sizes = {"flavour": "a100", "gpus": 1, "cpu": 1, "memory_gib": 1, "max_hours": 8}
    return json.dumps(
        {
            "engine": engine,
            "kubernetes": {"namespace": namespace},
            "kueue": {"cohort": namespace},
            "flavours": {"a100": {"title": "A100", "gpu_memory_gib": 80, "node_labels": {FLAVOUR_LABEL: A100}}},
            "limits": {"user": {"gpus": 1, "servers": 2, "queued": 3}},
            "profiles": {"gpu-1": {"title": "One GPU", **sizes}},
            "projects": {
                "vision": {
                    "title": "Vision group",
                    "members": {"everyone": True},
                    "nominal": {"a100": GPUS},
                    "profiles": ["gpu-1"],
                }
            },
            "queue": {
                "shortest_minutes": 0.001,
                "restart_minutes": 0.1,
                "turnover_minutes": 0,
                "end_grace_minutes": 0.02,
                "reconcile_seconds": 0.5,
            },
        }
    )


@pytest.mark.parametrize(
    ("engine", "minutes", "seconds"),
    [
        ("kueue", 2, (5, 10)),
        pytest.param("kubernetes", 2, (5, 10), marks=pytest.mark.soak),
        pytest.param("kueue", 15, (30, 90), marks=pytest.mark.soak),
        pytest.param("kubernetes", 15, (30, 90), marks=pytest.mark.soak),
    ],
)
def test_five_people_share_four_gpus_for_hours_on_end(
    cluster: Cluster, tmp_path: Path, engine: str, minutes: float, seconds: tuple[float, float]
):
    namespace = f"few-{engine}"
    with lab_that_leaves_nothing(cluster, namespace, pool_yaml(engine, namespace), PEOPLE, tmp_path) as lab:
        crowd = Crowd(lab, seconds)
        until = time.monotonic() + 60 * minutes
        with ThreadPoolExecutor(len(PEOPLE) + 1) as threads:
            watching = threads.submit(crowd.watch, until)
            busy = [threads.submit(crowd.person, user, until, 30) for user in PEOPLE]
            for each in [*busy, watching]:
                each.result()
        wait_until(lambda: not any(lab.servers(user) for user in PEOPLE), "the end of all servers")
    reasons = {ticket.end_reason for ticket in crowd.ended}
    assert reasons == {"time_limit"}, [(t.user, t.end_reason, t.end_message) for t in crowd.ended]
    assert len(crowd.ended) >= 30
    assert {ticket.user for ticket in crowd.ended} == set(PEOPLE)
    assert crowd.most_leased == GPUS
    assert len(crowd.started) >= 0.9 * len(crowd.ended), "servers that were never up within their hours"
    assert not [line for line in lab.log("hub").splitlines() if "failed to start" in line or "TimeoutError" in line]
