"""kill -9 of hub, pool, API server, etcd and Kueue at random moments, while people ask a lab for all it can do."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import pytest
from labpool.domain.tickets import State
from labpool.engines.kubernetes import KubernetesEngine
from labpool.service.setting import Setting
from labpool.settings import load_pool_file, sqlite_url
from labpool.store.backups import write_backup

from tests.crash.acknowledged import Acknowledged, Asked
from tests.crash.crowd import PEOPLE, Callers, Person
from tests.crash.soundness import MOST_GPUS, MOST_QUEUED, check
from tests.kubernetes.agreement import InCluster, disagreements, stored_at
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.engine_labs import lab_that_leaves_nothing
from tests.kubernetes.fake_nodes import A100, FLAVOUR_LABEL
from tests.kubernetes.kube_lab import pool_yaml_of
from tests.real_hub import is_healthy, wait_until
from tests.running_lab import RunningLab
from tests.seeds import seed_of

pytestmark = [pytest.mark.kubernetes, pytest.mark.hub]

SEED = "LABPOOL_KILLS_SEED"
"""Environment variable: what all that is drawn is drawn from, to play a failed test again."""
PARTS = ("hub", "pool")
VICTIMS = {
    "kueue": (*PARTS, "kube-apiserver", "etcd", "kueue"),
    "kubernetes": (*PARTS, "kube-apiserver", "etcd", "kube-scheduler"),
}
"""Who is killed, by the engine of the lab: where there is no Kueue, the scheduler finds the nodes."""
AT_ONCE = 3
HOURS = (0.001, 0.003, 0.5, 8)
"""Servers that end by themselves while all this goes on, and others that don't."""
PATIENCE_SECONDS = 180
_UNAVAILABLE = (502, 503, 504)


def pool_yaml(engine: str, namespace: str) -> str:
    """Two projects that lend each other all four GPUs that they have."""
    sizes = {"flavour": "demo-gpu", "cpu": 1, "memory_gib": 1, "max_hours": 8, "max_total_hours": 24}
    own = {"members": {"everyone": True}, "nominal": {"demo-gpu": 2}, "borrow": {"demo-gpu": 2}}
    own |= {"profiles": ["gpu-1", "gpu-2"]}
    return pool_yaml_of(
        engine,
        namespace,
        flavours={"demo-gpu": {"title": "A100", "gpu_memory_gib": 80, "node_labels": {FLAVOUR_LABEL: A100}}},
        limits={"user": {"gpus": MOST_GPUS, "servers": 5, "queued": MOST_QUEUED}},
        profiles={f"gpu-{gpus}": {"title": f"{gpus} GPUs", "gpus": gpus, **sizes} for gpus in (1, 2)},
        projects={
            "vision": {"title": "Vision group", **own, "budget": {"gpu_hours": 3000, "per": "month"}},
            "speech": {"title": "Speech group", **own, "budget": {"gpu_hours": 3000, "per": "week"}},
        },
        queue={
            "shortest_minutes": 0.001,
            "restart_minutes": 0.1,
            "turnover_minutes": 0,
            "claim_minutes": 0.3,
            "end_grace_minutes": 0.02,
            "grace_minutes": 0.03,
            "borrow_min_minutes": 0,
            "wait_before_taking_minutes": 0.05,
            "placement_minutes": 0.05,
            "reconcile_seconds": 0.5,
        },
    )


@dataclass
class Kills:
    """One lab of which one part after another is killed, and what its pool has answered in all that time."""

    lab: RunningLab
    cluster: Cluster
    engine: str
    namespace: str
    callers: Callers
    setting: Setting
    seed: str
    folder: Path
    known: Acknowledged = field(default_factory=Acknowledged)

    @property
    def database(self) -> str:
        return sqlite_url(self.lab.place.pool_db)

    def rounds(self, count: int) -> None:
        """Kill so many times; each victim comes as often as the others."""
        order: list[str] = []
        for number in range(count):
            order = order or Random(f"{self.seed}/{number}").sample(VICTIMS[self.engine], len(VICTIMS[self.engine]))
            self._round(number, order.pop())

    def _round(self, number: int, victim: str) -> None:
        random = Random(f"{self.seed}/{number}/{victim}")
        moment, away = random.uniform(0.2, 2), random.choice((0, random.uniform(0, 2)))
        said = f"round {number} of {SEED}={self.seed}, {victim} killed after {moment:.2f} s"
        try:
            self._while_people_ask(number, lambda: self._kill(victim, moment, away))
            self._check()
            self.settle()
            self._check()
        except Exception as error:
            raise AssertionError(f"{said}: {error}") from error

    def _while_people_ask(self, number: int, happens: Callable[[], None]) -> None:
        over = threading.Event()
        before, self.known.unanswered = self.known.unanswered, []
        with ThreadPoolExecutor(AT_ONCE) as threads:
            busy = [
                threads.submit(self._go_on, f"{self.seed}/{number}/{who}", before[who::AT_ONCE], over)
                for who in range(AT_ONCE)
            ]
            try:
                happens()
            finally:
                over.set()
            for each in busy:
                each.result()

    def _go_on(self, name: str, unanswered: list[Asked], over: threading.Event) -> None:
        """Repeat what had no answer, then do one thing after another; what has no answer now may have happened."""
        random = Random(name)
        with httpx.Client(timeout=30, trust_env=False, event_hooks={"response": [_count_unavailable]}) as http:
            person = Person(self.callers, random, name, self.known, http, HOURS)
            while unanswered:
                with suppress(httpx.TransportError):
                    person.ask_again(unanswered[0])
                    del unanswered[0]
            while not over.wait(random.uniform(0.1, 0.5)):
                with suppress(httpx.TransportError):
                    person.do_something()

    def _kill(self, victim: str, moment: float, away: float) -> None:
        time.sleep(moment)
        if victim not in PARTS:
            self.cluster.kill(victim)
            time.sleep(away)
            self.cluster.start(victim)
            return
        before = self.lab.pids(victim)
        self.lab.kill(victim)  # the supervisor starts it again
        wait_until(lambda: self.lab.pids(victim) not in ([], before), f"a new {victim}")
        address = f"{self.lab.url}/hub/health" if victim == "hub" else f"{self.lab.ports.pool_url}/healthz"
        wait_until(lambda: is_healthy(address), f"the answer of the new {victim}", 120)

    def settle(self) -> None:
        """Wait until nothing is under way any more: store, cluster and hub say the same."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while told := self._disagreements():
            assert time.monotonic() < deadline, f"after {PATIENCE_SECONDS} s still: {'; '.join(told)}"
            time.sleep(0.3)

    def _disagreements(self) -> list[str]:
        there = InCluster.of(self.cluster, self.namespace, self.engine, self.lab.place.pool_id)
        kept = stored_at(self.database)
        hub = self._at_hub()
        leased = {(lease.user, lease.name) for lease in kept.leases.values()}
        at_hub = [f"the hub runs {sorted(hub)}, and leased are {sorted(leased)}"] if hub != leased else []
        return [*disagreements(kept, there), *at_hub]

    def _at_hub(self) -> set[tuple[str, str]]:
        """Servers that the hub takes for running or on the way, by user and name."""
        users = self.lab.api("GET", "/users?state=active").raise_for_status().json()
        return {(user["name"], name) for user in users for name in user["servers"]}

    def _check(self) -> None:
        """Hold what the store says at this moment against the invariants and what was answered."""
        copy = self.folder / "copy.sqlite"
        copy.unlink(missing_ok=True)
        write_backup(self.database, copy)
        check(sqlite_url(copy), self.lab.place.audit_heads, self.setting, self.known)

    def give_all_back(self) -> None:
        """Let everybody leave the line and stop all servers, until nobody has a ticket."""
        wait_until(self._has_given_all_back, "the end of all tickets", PATIENCE_SECONDS)
        self.settle()
        self._check()

    def _has_given_all_back(self) -> bool:
        tickets = stored_at(self.database).tickets.values()
        for ticket in tickets:
            step = "leave" if ticket.state is State.QUEUED else "end"
            headers = {"Authorization": f"Bearer {self.callers.tokens[ticket.user]}"}
            httpx.post(
                f"{self.callers.url}/api/v1/tickets/{ticket.id}/{step}", headers=headers, timeout=30, trust_env=False
            )
        return not tickets


def _count_unavailable(answer: httpx.Response) -> None:
    if answer.status_code in _UNAVAILABLE:
        raise httpx.TransportError(f"{answer.request.url}: {answer.status_code}, which answers nothing")


@contextmanager
def kills(cluster: Cluster, engine: str, folder: Path) -> Iterator[Kills]:
    """A lab with this engine, of which nothing is left in the end; the cluster is whole again then."""
    namespace = f"kills-{engine}"
    rules, seed = pool_yaml(engine, namespace), seed_of(SEED)
    with lab_that_leaves_nothing(cluster, namespace, rules, PEOPLE, folder) as lab:
        tokens = {user: lab.token_for(user) for user in (*PEOPLE, "admin")}
        tokens["spawner"] = lab.place.secret("spawner_token")
        callers = Callers(lab.ports.pool_url, tokens, lab.place.secret("ticket_key"))
        found = asyncio.run(_setting(lab.folder / "config/pool.yaml", lab.place.pool_id))
        made = Kills(lab, cluster, engine, namespace, callers, found, seed, folder)
        yield made
        made.give_all_back()


async def _setting(path: Path, pool_id: str) -> Setting:
    file = load_pool_file(path)
    engine = await KubernetesEngine.began(lambda: file, pool_id)
    try:
        return Setting(await engine.inventory(), file.catalogue)
    finally:
        await engine.close()


@pytest.mark.parametrize(
    ("engine", "rounds"),
    [
        ("kueue", 5),
        ("kubernetes", 5),
        pytest.param("kueue", 150, marks=pytest.mark.soak),
        pytest.param("kubernetes", 150, marks=pytest.mark.soak),
    ],
)
def test_whatever_is_killed_nothing_is_lost_and_nothing_left_behind(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, rounds: int
):
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    with kills(cluster, engine, tmp_path) as lab:
        lab.rounds(rounds)
        assert lab.known.events, "nothing was done in all that time"
        assert lab.known.ends, "nobody had a server in all that time"
