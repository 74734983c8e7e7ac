"""Five people, each asking again as soon as a server is over, and four GPUs: all get their turns, and nothing hangs."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.crowd import GPUS, PEOPLE, Crowd, pool_yaml
from tests.kubernetes.engine_labs import lab_that_leaves_nothing
from tests.real_hub import wait_until

pytestmark = [pytest.mark.kubernetes, pytest.mark.hub]


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

        def goes_on() -> bool:
            return time.monotonic() < until or len(crowd.ended) < 30

        with ThreadPoolExecutor(len(PEOPLE) + 1) as threads:
            watching = threads.submit(crowd.watch, goes_on)
            busy = [threads.submit(crowd.person, user, goes_on) for user in PEOPLE]
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
